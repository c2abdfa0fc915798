import type { Environment } from '../../shared/app/platform.js'
import { optional } from '../../shared/core/optional.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { Queue, Work } from '../../shared/core/ports/queue.js'
import { RestClient } from '../../shared/core/rest/client.js'
import { Credentials } from '../../shared/google/credentials.js'
import { unsentError } from './tasks/errors.js'
import { readTasks, type TasksSettings } from './tasks/settings.js'
import { taskOf } from './tasks/task.js'

/** `endpoint` and `timeoutMs` are for tests: a stand-in on loopback, and how long one attempt may take. */
export interface CloudTasksOptions extends TasksSettings {
  readonly env: Env
  readonly endpoint?: `http://127.0.0.1:${number}`
  readonly timeoutMs?: number
}

const hourMs = 3_600_000

/**
 * The queue on Google Cloud Tasks. A task has the id of its work as its name, and the service takes no second task of that name for hours after the first one
 * ran: it counts as sent. What is still due then is found by a look of the next interval, which gives it another name. Keep one for a process: it has the credentials.
 */
export class CloudTasks implements Queue {
  /** The service takes 30 days. The hour is for clocks that differ. */
  readonly delayMsMax = 30 * 24 * hourMs - hourMs
  readonly #options: CloudTasksOptions
  readonly #client: RestClient
  readonly #create: URL
  constructor(options: CloudTasksOptions) {
    const { env, queue, endpoint = 'https://cloudtasks.googleapis.com', timeoutMs } = options
    this.#options = options
    this.#client = new RestClient({
      env,
      service: 'Cloud Tasks',
      resource: queue,
      credentials: new Credentials(queue),
      ...optional('timeoutMs', timeoutMs),
    })
    this.#create = new URL(`${endpoint}/v2/${queue}/tasks`)
  }

  /** unavailable and throttled after three repetitions, denied, bad_config. A lost answer is no loss: the repetition finds its own task there. */
  async send(work: Work, notBefore?: number): Promise<void> {
    const body = JSON.stringify({ task: taskOf(this.#options, work, notBefore) })
    await this.#client.call({ url: this.#create, body }, { call: 'cloudtasks.tasks.create', ref: work.ref }, (answer) =>
      unsentError(answer, this.#options),
    )
  }
}

/** The queue that the environment names. bad_config lists every problem. */
export const tasksFrom = (environment: Environment, env: Env): CloudTasks => new CloudTasks({ ...readTasks(environment), env })
