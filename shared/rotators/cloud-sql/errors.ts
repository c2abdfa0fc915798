import { RotationError } from '../../core/errors.js'
import type { Answer } from '../../core/rest/send.js'
import type { About } from '../../google/refused.js'
import { refusedError, saidOf } from '../../google/refused.js'
import { errorIn } from '../../google/said.js'
import { isOfRule } from '../control-plane/errors.js'
import { type Place, shownPlace } from './policy.js'

/** What the Admin API is asked for. */
export interface Question {
  readonly place: Place
  readonly permission: string
  /** The login, where the question is about one. */
  readonly user?: string
  /** Whether a password was sent, which the instance may refuse. */
  readonly sendsPassword?: true
}

/** Reasons in the older form of Google's errors, by which the Admin API still answers. */
const throttles = /^(rateLimitExceeded|userRateLimitExceeded|quotaExceeded|RATE_LIMIT_EXCEEDED)$/

/** Whether another operation of the instance runs: the Admin API takes one at a time, and has said so with 403 and with 409. */
export function isBusy({ status, body }: Answer): boolean {
  const { reason, text } = errorIn(body)
  return (status === 403 || status === 409) && (reason === 'operationInProgress' || /another operation was already in progress/i.test(text))
}

/** Makes the error of an answer; undefined for one of success. The service's own text is read and never passed on: it may quote what was sent. */
export function answerError(answer: Answer, question: Question): RotationError | undefined {
  const { status, body } = answer
  if (status >= 200 && status < 300) return undefined
  const { name, reason, text } = errorIn(body)
  const said = saidOf(status, name || reason)
  const { place, user } = question
  const shown = shownPlace(place)
  if (throttles.test(reason))
    return new RotationError('throttled', `Cloud SQL asks for fewer calls to ${shown} (${said}).`, { next: 'It is sent again later.' })
  if (status === 404) return user === undefined ? noInstanceError(shown) : noUserError(user, shown)
  if (status === 400 && question.sendsPassword && isOfRule(text)) return refusedPasswordError(user ?? '', shown, said)
  if (status === 400)
    return new RotationError('bad_value', `Cloud SQL does not take what was sent to ${shown} (${said}).`, {
      next: 'Check keyturn-instance, keyturn-account-host and the user name in the value.',
    })
  return refusedError(answer, about(question))
}

const noInstanceError = (shown: string): RotationError =>
  new RotationError('bad_policy', `There is no Cloud SQL instance ${shown}.`, {
    field: 'keyturn-instance',
    next: 'Correct keyturn-instance; gcloud sql instances list shows what is there.',
  })

/** The Admin API may make a login that it does not find, so that nothing is sent then. */
export const noUserError = (user: string, shown: string): RotationError =>
  new RotationError('bad_value', `${shown} has no user ${user}.`, {
    field: 'username',
    next: 'Correct the user name, or keyturn-account-host for MySQL; gcloud sql users list shows what is there. Nothing was changed.',
  })

export const refusedPasswordError = (user: string, shown: string, said: string): RotationError =>
  new RotationError('rejected', `${shown} refuses the new password of ${user} by its own rule (${said}).`, {
    next: 'Compare keyturn-length with the password policy of the instance (gcloud sql instances describe).',
  })

const about = ({ place, permission }: Question): About => ({
  service: 'Cloud SQL',
  api: 'sqladmin.googleapis.com',
  resource: shownPlace(place),
  kind: 'instance',
  permission,
  grant: `Grant a role with ${permission} on the project ${place.project}: the platform grants it on nothing narrower.`,
  make: 'Correct keyturn-instance.',
  check: 'Check keyturn-instance.',
  field: 'keyturn-instance',
})
