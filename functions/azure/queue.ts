import type { QueueClient } from '@azure/storage-queue'
import type { Environment } from '../../shared/app/platform.js'
import { RotationError } from '../../shared/core/errors.js'
import type { DeadLetter, DeadLetters } from '../../shared/core/ports/dead-letters.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { Queue, Work } from '../../shared/core/ports/queue.js'
import { queueError } from './queue/errors.js'
import { poisonName, queueName, queuesFrom } from './queue/settings.js'

const callMsMax = 10_000
const repetitions = 3
const pauseMsBase = 500
const secondMs = 1000
/** The service hides a message for seven days at most. The hour is for clocks that differ. */
const hiddenMsMax = 7 * 24 * 3600 * secondMs - 3600 * secondMs
/** Never: what is due stays due. */
const timeToLive = -1

/** A queue of Azure Storage, by the vendor's client. Keep one for a process: it has the credentials. */
class Outlet {
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

/**
 * Work as messages of a storage queue, which wait there until they may be seen. The service tells no two messages of one id apart: whoever gets the second one
 * finds nothing to do.
 */
export class StorageQueue implements Queue {
  readonly delayMsMax = hiddenMsMax
  readonly #outlet: Outlet
  readonly #env: Env
  constructor(client: QueueClient, env: Env) {
    this.#outlet = new Outlet(client, env)
    this.#env = env
  }

  async send(work: Work, notBefore?: number): Promise<void> {
    const waitMs = notBefore === undefined ? 0 : Math.max(0, notBefore - this.#env.now())
    if (waitMs > hiddenMsMax)
      throw new RotationError('bad_config', 'The queue keeps no message back for so long.', {
        next: 'The next look finds what is due then.',
      })
    await this.#outlet.put(work, { ref: work.ref }, Math.ceil(waitMs / secondMs))
  }
}

/** Dead letters beside what the host itself gives up. */
export class PoisonQueue implements DeadLetters {
  readonly #outlet: Outlet
  constructor(client: QueueClient, env: Env) {
    this.#outlet = new Outlet(client, env)
  }
  async put({ at, ...letter }: DeadLetter): Promise<void> {
    await this.#outlet.put({ deadLetter: { ...letter, at: new Date(at).toISOString() } }, { from: letter.from })
  }
}

/** The queues that the environment names. bad_config. */
export const queueFrom = (environment: Environment, env: Env): StorageQueue =>
  new StorageQueue(queuesFrom(environment).getQueueClient(queueName(environment)), env)
/** Where dead letters go; undefined without a storage account, where nothing is delivered from a queue either. */
export const poisonFrom = (environment: Environment, env: Env): PoisonQueue =>
  new PoisonQueue(queuesFrom(environment).getQueueClient(poisonName(queueName(environment))), env)
