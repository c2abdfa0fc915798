import type { QueueClient } from '@azure/storage-queue'
import type { Env } from '../../../shared/core/ports/env.js'
import { queueError } from './errors.js'

const callMsMax = 10_000
const repetitions = 3
const pauseMsBase = 500
/** Never: what is due stays due. */
const timeToLive = -1

/** A queue of Azure Storage, by the vendor's client. Keep one for a process: it has the credentials. */
export class Outlet {
  readonly #client: QueueClient
  readonly #env: Env
  constructor(client: QueueClient, env: Env) {
    this.#client = client
    this.#env = env
  }

  /** Repeats what `retry` is the remedy of. A lost answer is repeated: the message may be there twice. */
  async put(message: object, log: Readonly<Record<string, string>>, visibilityTimeout = 0): Promise<void> {
    const env = this.#env
    // As the host expects it, which decodes what its triggers get.
    const text = Buffer.from(JSON.stringify(message)).toString('base64')
    for (let attempt = 1; ; attempt++) {
      try {
        const abortSignal = AbortSignal.timeout(callMsMax)
        await this.#client.sendMessage(text, { messageTimeToLive: timeToLive, visibilityTimeout, abortSignal })
        return
      } catch (cause) {
        const error = queueError(cause, this.#client.name)
        if (error.remedy !== 'retry' || attempt > repetitions || env.cancelled.aborted) throw error
        env.log('retry', { ...log, call: 'queue.sendMessage', code: error.code, attempt })
        await env.sleep(Math.round(pauseMsBase * 2 ** (attempt - 1) * (0.5 + (env.random(1)[0] ?? 0) / 512)))
      }
    }
  }
}
