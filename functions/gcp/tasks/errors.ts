import { RotationError } from '../../../shared/core/errors.js'
import type { Answer } from '../../../shared/core/rest/send.js'
import { refusedError, saidOf } from '../../../shared/google/refused.js'
import { errorIn } from '../../../shared/google/said.js'
import type { TasksSettings } from './settings.js'

/** Makes the error of an answer; undefined where the task is there. */
export function unsentError(answer: Answer, { queue, account }: TasksSettings): RotationError | undefined {
  const { status, body } = answer
  const { name, text } = errorIn(body)
  if (status === 409 && name === 'ALREADY_EXISTS') return undefined
  if (status === 403 && text.includes('iam.serviceAccounts.actAs')) return actAsError(saidOf(status, name), account)
  const [, project = '', , location = '', , id = ''] = queue.split('/')
  const where = `${id} --location ${location} --project ${project}`
  return refusedError(answer, {
    service: 'Cloud Tasks',
    api: 'cloudtasks.googleapis.com',
    resource: queue,
    kind: 'queue',
    permission: 'cloudtasks.tasks.create',
    grant: `Grant it: gcloud tasks queues add-iam-policy-binding ${where} --member serviceAccount:THIS_FUNCTION --role roles/cloudtasks.enqueuer`,
    make: `Run gcloud tasks queues create ${where}, and try again after a minute.`,
    check: 'Check KEYTURN_QUEUE, KEYTURN_WORK_URL and KEYTURN_WORK_ACCOUNT.',
    field: 'KEYTURN_QUEUE',
  })
}

const actAsError = (said: string, account: string): RotationError =>
  new RotationError('denied', `iam.serviceAccounts.actAs is denied on ${account}, or the account does not exist (${said}).`, {
    field: 'KEYTURN_WORK_ACCOUNT',
    next: `Grant it: gcloud iam service-accounts add-iam-policy-binding ${account} --member serviceAccount:THIS_FUNCTION --role roles/iam.serviceAccountUser`,
  })
