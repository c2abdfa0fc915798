import type { Environment } from '../../shared/app/platform.js'
import type { RotationError } from '../../shared/core/errors.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { Queue, Work } from '../../shared/core/ports/queue.js'
import { Credentials } from './tasks/credentials.js'
import { refusedError, unansweredError } from './tasks/errors.js'
import { post } from './tasks/post.js'
import { readTasks, type TasksSettings } from './tasks/settings.js'
import { taskOf } from './tasks/task.js'

/** `endpoint` and `timeoutMs` are for tests: a stand-in on loopback, and how long one attempt may take. */
export interface CloudTasksOptions extends TasksSettings {
  readonly env: Env
  readonly endpoint?: `http://127.0.0.1:${number}`
  readonly timeoutMs?: number
}

const hourMs = 3_600_000
const retriesMax = 3
const pauseMsBase = 500

/**
 * The queue on Google Cloud Tasks. A task has the id of its work as its name, and the service takes no second task of that name for hours after the first one
 * ran: it counts as sent. What is still due then is found by a look of the next interval, which gives it another name. Keep one for a process: it has the credentials.
 */
export class CloudTasks implements Queue {
  /** The service takes 30 days. The hour is for clocks that differ. */
  readonly delayMsMax = 30 * 24 * hourMs - hourMs
  readonly #options: CloudTasksOptions
  readonly #credentials: Credentials
  readonly #create: URL
  constructor(options: CloudTasksOptions) {
    const { queue, endpoint = 'https://cloudtasks.googleapis.com' } = options
    this.#options = options
    this.#credentials = new Credentials(queue)
    this.#create = new URL(`${endpoint}/v2/${queue}/tasks`)
  }

  /** unavailable and throttled after three repetitions, denied, bad_config. A lost answer is no loss: the repetition finds its own task there. */
  async send(work: Work, notBefore?: number): Promise<void> {
    const { env } = this.#options
    const body = JSON.stringify({ task: taskOf(this.#options, work, notBefore) })
    for (let attempt = 1; ; attempt++) {
      const failure = await this.#attempt(body)
      if (failure === undefined) return
      if (failure.remedy !== 'retry' || attempt > retriesMax || env.cancelled.aborted) throw failure
      env.log('retry', { call: 'cloudtasks.tasks.create', ref: work.ref, code: failure.code, attempt })
      await env.sleep(Math.round(pauseMsBase * 2 ** (attempt - 1) * (0.5 + (env.random(1)[0] ?? 0) / 512)))
      if (env.cancelled.aborted) throw failure
    }
  }

  /** Sends it once; undefined where the task is there. */
  async #attempt(body: string): Promise<RotationError | undefined> {
    const { queue, timeoutMs = 10_000 } = this.#options
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      const answer = await post(this.#create, await this.#credentials.token(signal), body, signal)
      if (answer.status === 401) this.#credentials.forget()
      return refusedError(answer, this.#options)
    } catch (cause) {
      return unansweredError(cause, queue, signal.aborted ? timeoutMs : undefined)
    }
  }
}

/** The queue that the environment names. bad_config lists every problem. */
export const tasksFrom = (environment: Environment, env: Env): CloudTasks => new CloudTasks({ ...readTasks(environment), env })
