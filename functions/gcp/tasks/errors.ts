import { RotationError, systemCodeOf } from '../../../shared/core/errors.js'
import { optional } from '../../../shared/core/optional.js'
import type { Answer } from './post.js'
import { errorIn } from './said.js'
import type { TasksSettings } from './settings.js'

/** Makes the error of an answer; undefined where the task is there. The service's own text is read and never passed on: it may quote what was sent. */
export function refusedError({ status, body }: Answer, { queue, account }: TasksSettings): RotationError | undefined {
  const { name, text } = errorIn(body)
  if ((status >= 200 && status < 300) || (status === 409 && name === 'ALREADY_EXISTS')) return undefined
  const said = `${status}${name === '' ? '' : ` ${name}`}`
  if (status === 401 || status === 403) return deniedError(said, text, { queue, account })
  if (status === 404) return missingError(queue)
  if (status === 429) return error('throttled', `Cloud Tasks asks for fewer calls to ${queue} (${said}).`, 'It is sent again later.')
  if (status === 400)
    return error(
      'bad_config',
      `Cloud Tasks does not take the task for ${queue} (${said}).`,
      'Check KEYTURN_QUEUE, KEYTURN_WORK_URL and KEYTURN_WORK_ACCOUNT.',
    )
  return error('unavailable', `Cloud Tasks did not take the task for ${queue} (${said}).`, 'It is sent again later.')
}

/** Makes the error of a call that got no answer; `waitedMs` where its time was over. */
export function unansweredError(cause: unknown, queue: string, waitedMs?: number): RotationError {
  if (cause instanceof RotationError) return cause
  const why = waitedMs === undefined ? (systemCodeOf(cause) ?? 'no answer') : `no answer within ${waitedMs / 1000} s`
  return error(
    'unavailable',
    `Cloud Tasks could not be asked for ${queue} (${why}).`,
    'Check that cloudtasks.googleapis.com can be reached; it is sent again.',
    undefined,
    cause,
  )
}

function deniedError(said: string, text: string, { queue, account }: Pick<TasksSettings, 'queue' | 'account'>): RotationError {
  const { project, location, id } = partsOf(queue)
  if (/has not been used in project .* or it is disabled/.test(text))
    return error(
      'bad_config',
      `The Cloud Tasks API is not enabled for ${queue} (${said}).`,
      `Run gcloud services enable cloudtasks.googleapis.com --project ${project}, and try again after some minutes.`,
      'KEYTURN_QUEUE',
    )
  if (text.includes('iam.serviceAccounts.actAs'))
    return error(
      'denied',
      `iam.serviceAccounts.actAs is denied on ${account}, or the account does not exist (${said}).`,
      `Grant it: gcloud iam service-accounts add-iam-policy-binding ${account} --member serviceAccount:THIS_FUNCTION --role roles/iam.serviceAccountUser`,
      'KEYTURN_WORK_ACCOUNT',
    )
  return error(
    'denied',
    `cloudtasks.tasks.create is denied on ${queue}, or the queue does not exist (${said}).`,
    `Grant it: gcloud tasks queues add-iam-policy-binding ${id} --location ${location} --project ${project} --member serviceAccount:THIS_FUNCTION --role roles/cloudtasks.enqueuer`,
    'KEYTURN_QUEUE',
  )
}

function missingError(queue: string): RotationError {
  const { project, location, id } = partsOf(queue)
  const make = `gcloud tasks queues create ${id} --location ${location} --project ${project}`
  return error('bad_config', `There is no queue ${queue}.`, `Run ${make}, and try again after a minute.`, 'KEYTURN_QUEUE')
}

function partsOf(queue: string): { readonly project: string; readonly location: string; readonly id: string } {
  const [, project = '', , location = '', , id = ''] = queue.split('/')
  return { project, location, id }
}

const error = (code: RotationError['code'], message: string, next: string, field?: string, cause?: unknown): RotationError =>
  new RotationError(code, message, { next, ...optional('field', field), cause })
