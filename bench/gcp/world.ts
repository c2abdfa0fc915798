import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { systemEnv } from '../../shared/core/env.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { Policy, SecretRef } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { type Deps, noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { GcpSecretManagerDouble } from '../../test/harness/gcp-secret-manager.js'

/** Past the grace of a pair, so that each rotation may begin. Milliseconds. */
const laterMs = 8 * 24 * 3_600_000

/** The system's clock, set ahead by what somebody would have waited: pace costs no time here, and is counted. */
class SkewedClock {
  aheadMs = 0
  waitedMs = 0
  readonly now = (): number => Date.now() + this.aheadMs
  readonly sleep = async (ms: number): Promise<void> => {
    this.aheadMs += ms
    this.waitedMs += ms
  }
}

/** The double of Secret Manager, the store over it by the vendor's client, and rotations of its secrets. */
export class GcpBench {
  readonly double: GcpSecretManagerDouble
  readonly client: SecretManagerServiceClient
  readonly clock: SkewedClock
  readonly #store: GcpSecretManagerAdmin
  readonly #env: Env

  static async open(): Promise<GcpBench> {
    const clock = new SkewedClock()
    return new GcpBench(await GcpSecretManagerDouble.open(clock.now), clock)
  }

  private constructor(double: GcpSecretManagerDouble, clock: SkewedClock) {
    this.double = double
    this.clock = clock
    this.client = new SecretManagerServiceClient(double.clientOptions)
    this.#env = systemEnv({ log: () => {}, clock })
    this.#store = new GcpSecretManagerAdmin({
      env: this.#env,
      project: 'p',
      open: () => new SecretManagerServiceClient(double.clientOptions),
    })
  }

  create = (name: string, value: object, policy: Policy): Promise<SecretRef> =>
    this.#store.create(name, new SecretText(JSON.stringify(value)), policy)

  /** What happens between two rotations: the change is announced, and what it replaced is retired after its grace. */
  async settle(ref: SecretRef): Promise<void> {
    await announce(this.#deps(), ref.shown)
    this.clock.aheadMs += laterMs
    await retirePass(this.#deps(), ref.shown)
    this.clock.aheadMs += laterMs
  }

  async rotate(ref: SecretRef): Promise<void> {
    const { outcome } = await rotate(this.#deps(), { kind: 'rotate', ref: ref.shown, at: this.#env.now() })
    if (outcome !== 'published') throw new Error(`The rotation of ${ref.shown} ended as ${outcome}.`)
  }

  #deps(): Deps {
    return {
      store: this.#store,
      loadRotator,
      infer: () => ({}),
      configuration: async () => noConfiguration,
      loadNotifier,
      journal: true,
      readAdmin: (text) => this.#store.readCurrent(text),
      env: this.#env,
      audit: { write: async () => {} },
      holder: 'bench',
      leaseMs: 15 * 60_000,
      shortGrace: true,
    }
  }

  async close(): Promise<void> {
    await this.#store.close()
    await this.client.close()
    await this.double.close()
  }
}
