import { RestError } from '@azure/storage-queue'
import { RotationError, systemCodeOf } from '../../../shared/core/errors.js'
import { queueField } from './settings.js'

/** How one call may end that the service did not carry out, or may have. The service's own text is not passed on. */
export function queueError(cause: unknown, queue: string): RotationError {
  if (cause instanceof RotationError) return cause
  const status = cause instanceof RestError ? cause.statusCode : undefined
  const word = cause instanceof RestError && /^\w{1,60}$/.test(cause.code ?? '') ? cause.code : undefined
  const said = [status, word ?? systemCodeOf(cause)].filter((one) => one !== undefined).join(' ') || 'no answer'
  const error = (code: RotationError['code'], message: string, next: string) =>
    new RotationError(code, message, { field: queueField, next })
  if (status === 401 || status === 403 || isWithoutCredentials(cause))
    return error(
      'denied',
      `The queue ${queue} refused a message (${said}).`,
      'Grant Storage Queue Data Message Sender on it to this identity.',
    )
  if (status === 404)
    return error('bad_config', `There is no queue ${queue} (${said}).`, `Make it with az storage queue create --name ${queue}.`)
  if (status === 400 || status === 413)
    return error('bad_config', `The queue ${queue} does not take the message (${said}).`, `Check ${queueField}.`)
  if (status === 429 || word === 'ServerBusy')
    return new RotationError('throttled', `The queue ${queue} asks for fewer calls (${said}).`, { next: 'It is sent again later.' })
  return new RotationError('unavailable', `The queue ${queue} could not be reached (${said}).`, { next: 'It is sent again later.' })
}

const isWithoutCredentials = (cause: unknown): boolean =>
  cause instanceof Error &&
  ['CredentialUnavailableError', 'AuthenticationRequiredError', 'AggregateAuthenticationError'].includes(cause.name)
