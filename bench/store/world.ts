import { systemEnv } from '../../shared/core/env.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { SecretStore, SecretStoreAdmin } from '../../shared/core/ports/store.js'
import type { Policy, SecretRef } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { type Deps, noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'

/** Past the grace of a pair, so that each rotation may begin. Milliseconds. */
const laterMs = 8 * 24 * 3_600_000

/** The system's clock, set ahead by what somebody would have waited: pace costs no time here, and is counted. */
export class SkewedClock {
  aheadMs = 0
  waitedMs = 0
  readonly now = (): number => Date.now() + this.aheadMs
  readonly sleep = async (ms: number): Promise<void> => {
    this.aheadMs += ms
    this.waitedMs += ms
  }
}

/** How often each call was made, and what of them counts. */
export interface Counts {
  readonly calls: number
  readonly writes: number
  /** Writes on the secret that consumers read. */
  readonly consumerWrites: number
}
/** The calls of one rotation. */
export interface CallsMade extends Counts {
  /** Reads of the administrator's secret, which is another one and may be in another store. They are not among `calls`. */
  readonly adminCalls: number
  readonly byName: Readonly<Record<string, number>>
}

/** A store over doubles, and rotations of its secrets. */
export abstract class StoreBench {
  readonly clock: SkewedClock
  protected readonly env: Env
  /** What a ref begins with. */
  abstract readonly prefix: string
  protected abstract readonly store: SecretStore & SecretStoreAdmin

  protected constructor(clock: SkewedClock) {
    this.clock = clock
    this.env = systemEnv({ log: () => {}, clock })
  }

  /** Counts what `act` calls, of one secret. */
  abstract count(ref: SecretRef, act: () => Promise<void>): Promise<CallsMade>
  /** The calls that `act` makes for a secret of this name, to be made again for another one by the vendor's clients alone. */
  abstract bare(name: string, act: () => Promise<void>): Promise<() => Promise<void>>
  abstract close(): Promise<void>

  create = (name: string, value: object, policy: Policy): Promise<SecretRef> =>
    this.store.create(name, new SecretText(JSON.stringify(value)), policy)

  /** What happens between two rotations: the change is announced, and what it replaced is retired after its grace. */
  async settle(ref: SecretRef): Promise<void> {
    await announce(this.#deps(), ref.shown)
    this.clock.aheadMs += laterMs
    await retirePass(this.#deps(), ref.shown)
    this.clock.aheadMs += laterMs
  }

  async rotate(ref: SecretRef): Promise<void> {
    const { outcome } = await rotate(this.#deps(), { kind: 'rotate', ref: ref.shown, at: this.env.now() })
    if (outcome !== 'published') throw new Error(`The rotation of ${ref.shown} ended as ${outcome}.`)
  }

  #deps(): Deps {
    return {
      store: this.store,
      loadRotator,
      infer: () => ({}),
      configuration: async () => noConfiguration,
      loadNotifier,
      journal: true,
      readAdmin: (text) => this.store.readCurrent(text),
      env: this.env,
      audit: { write: async () => {} },
      holder: 'bench',
      leaseMs: 15 * 60_000,
      shortGrace: true,
    }
  }
}
