import type { QueueClient } from '@azure/storage-queue'
import type { Environment } from '../../shared/app/platform.js'
import { RotationError } from '../../shared/core/errors.js'
import type { DeadLetter, DeadLetters } from '../../shared/core/ports/dead-letters.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { Queue, Work } from '../../shared/core/ports/queue.js'
import { Outlet } from './queue/outlet.js'
import { poisonName, queueName, queuesFrom } from './queue/settings.js'

const secondMs = 1000
/** The service hides a message for seven days at most. The hour is for clocks that differ. */
const hiddenMsMax = 7 * 24 * 3600 * secondMs - 3600 * secondMs

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
/** Where dead letters go: beside what the host gives up. bad_config. */
export const poisonFrom = (environment: Environment, env: Env): PoisonQueue =>
  new PoisonQueue(queuesFrom(environment).getQueueClient(poisonName(queueName(environment))), env)
