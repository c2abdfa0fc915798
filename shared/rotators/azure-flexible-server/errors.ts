import { codeIn, refusedError, saidOf } from '../../azure/refused.js'
import { RotationError } from '../../core/errors.js'
import { membersOf, parsedJson, textOf } from '../../core/json.js'
import { optional } from '../../core/optional.js'
import type { Answer } from '../../core/rest/send.js'
import { isOfRule, isTransient } from '../control-plane/errors.js'
import { commandFor, type Place, shownPlace } from './policy.js'

/** What Azure Resource Manager is asked for. */
export interface Question {
  readonly place: Place
  /** The action of a role that the call needs. */
  readonly permission: string
  /** The login whose password was sent, which the server may refuse. */
  readonly setsFor?: string
  /** The question is about an operation, and not about the server. */
  readonly isOperation?: true
}

export const service = 'Azure Resource Manager'
/** A lock of a person forbids every change: https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/lock-resources */
const lockedCode = 'ScopeLocked'

/**
 * Whether the server is at another operation: it takes one at a time, and has been seen to say so with ServerIsBusy and with ServerBusy. Every other
 * conflict is waited for, too, but for a lock.
 */
export const isBusy = ({ status, body }: Answer): boolean => status === 409 && codeIn(body) !== lockedCode

/** Whether the service refuses the password itself, by words about a rule or by the name of the property that held it. */
export const refusesPassword = (code: string, text: string): boolean =>
  code !== '' && !isTransient(code) && (isOfRule(text) || (code === 'InvalidParameterValue' && /administratorLoginPassword/i.test(text)))

/** Makes the error of an answer; undefined for one of success. The service's own text is read and never passed on: it may quote what was sent. */
export function answerError(answer: Answer, question: Question): RotationError | undefined {
  const { status, body } = answer
  if (status >= 200 && status < 300) return undefined
  const { place, setsFor, isOperation } = question
  const [shown, code] = [shownPlace(place), codeIn(body)]
  const said = saidOf(status, code)
  const text = textOf(membersOf(membersOf(parsedJson(body)).error).message)
  if (status === 404) return isOperation ? goneError(shown, said) : noServerError(place, said)
  if (status === 409 && code === lockedCode) return lockedError(shown, said)
  if (status === 400 && setsFor !== undefined && refusesPassword(code, text)) return refusedPasswordError(place, setsFor, said)
  if (status === 400)
    return new RotationError('bad_value', `${service} does not take what was sent to ${shown} (${said}).`, {
      next: 'Check keyturn-resource-id and the password in the value.',
    })
  return refusedError(answer, about(question))
}

const noServerError = (place: Place, said: string): RotationError =>
  new RotationError('bad_policy', `There is no flexible server ${shownPlace(place)} (${said}).`, {
    field: 'keyturn-resource-id',
    next: `Correct keyturn-resource-id; ${commandFor(place)} list --query '[].id' shows what is there.`,
  })

/** The same password is then sent again. */
const goneError = (shown: string, said: string): RotationError =>
  new RotationError('target_unreachable', `${service} does not know the operation at ${shown} any more (${said}).`, {
    next: 'It is sent again.',
  })

const lockedError = (shown: string, said: string): RotationError =>
  new RotationError('denied', `A lock forbids every change of ${shown} (${said}).`, {
    next: 'Remove the ReadOnly lock from the server, its resource group or its subscription (az lock list); nothing was changed.',
  })

export const refusedPasswordError = (place: Place, user: string, said: string): RotationError =>
  new RotationError('rejected', `${shownPlace(place)} refuses the new password of ${user} by its own rule (${said}).`, {
    next: 'Compare keyturn-length with the rules of Azure for passwords of administrators: 8 to 128 characters of three classes.',
  })

const about = ({ place, permission, isOperation }: Question): Parameters<typeof refusedError>[1] => ({
  service,
  resource: isOperation ? `/subscriptions/${place.subscription}` : shownPlace(place),
  kind: 'flexible server',
  permission,
  grant: isOperation
    ? `Grant a role with ${permission} on the resource group ${place.group} or on the subscription: an operation is not below its server.`
    : `Grant a role with ${permission} on the server or on its resource group ${place.group}.`,
  make: 'Correct keyturn-resource-id.',
  check: 'Check keyturn-resource-id.',
  ...optional('field', isOperation ? undefined : 'keyturn-resource-id'),
})
