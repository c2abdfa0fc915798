import { optional } from '../../../shared/core/optional.js'
import type { Work } from '../../../shared/core/ports/queue.js'
import type { TasksSettings } from './settings.js'

/** How long Cloud Tasks waits for an answer: as long as a lease may be. */
const dispatchDeadline = '900s'

/** The task that carries a piece of work, as the service takes it. */
export const taskOf = ({ queue, url, account }: TasksSettings, work: Work, notBefore?: number) => ({
  name: `${queue}/tasks/${work.id}`,
  ...optional('scheduleTime', notBefore === undefined ? undefined : new Date(notBefore).toISOString()),
  dispatchDeadline,
  httpRequest: {
    url,
    httpMethod: 'POST',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(work)).toString('base64'),
    oidcToken: { serviceAccountEmail: account, audience: url },
  },
})
