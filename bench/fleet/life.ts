import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { parseConfiguration } from '../../shared/app/configuration.js'
import { systemEnv } from '../../shared/core/env.js'
import { RotationError } from '../../shared/core/errors.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { FleetAction } from '../../shared/core/ports/queue.js'
import type { Policy, SecretRef } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { act } from '../../shared/lifecycle/fleet/act.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { GcpSecretManagerDouble } from '../../test/harness/gcp-secret-manager.js'

/** The configuration secret of the fleet: one consumer, of which a person says that it has followed. */
export const configurationText = '{"consumers":{"people":{"kind":"manual","required":true}}}'
const configuration = parseConfiguration(new SecretText(configurationText))

/** Secrets in the double of Secret Manager, carried through their lives by the product's own code, at times that the caller names. */
export class Life {
  readonly double: GcpSecretManagerDouble
  readonly store: GcpSecretManagerAdmin
  readonly #env: Env
  readonly #clock: { time: number }
  private constructor(double: GcpSecretManagerDouble, clock: { time: number }) {
    this.double = double
    this.#clock = clock
    const now = (): number => clock.time
    const sleep = async (ms: number): Promise<void> => {
      clock.time += ms
    }
    this.#env = systemEnv({ log: () => {}, clock: { now, sleep } })
    const open = () => new SecretManagerServiceClient(double.clientOptions)
    this.store = new GcpSecretManagerAdmin({ env: this.#env, project: 'p', open })
  }
  static async open(): Promise<Life> {
    const clock = { time: 0 }
    return new Life(await GcpSecretManagerDouble.open(() => clock.time), clock)
  }
  set time(now: number) {
    this.#clock.time = now
  }

  async create(name: string, value: string, at: number): Promise<SecretRef> {
    this.time = at
    return this.store.create(name, new SecretText(value), {})
  }
  async adopt(ref: SecretRef, policy: Policy, at: number): Promise<void> {
    this.time = at
    await adopt(this.#deps(), this.store, ref.shown, policy)
  }
  setPolicy = (ref: SecretRef, patch: Policy): Promise<void> => this.store.setPolicy(ref, patch)
  async does(ref: SecretRef, action: FleetAction, at: number): Promise<void> {
    this.time = at
    await act(this.#deps(), { ref: ref.shown, action, at })
  }
  async rotates(ref: SecretRef, at: number): Promise<void> {
    this.time = at
    const { outcome } = await rotate(this.#deps(), { kind: 'rotate', ref: ref.shown, at })
    if (outcome !== 'published') throw new Error(`The rotation of ${ref.shown} ended as ${outcome}.`)
  }

  /** A rotation whose process is gone right before it publishes: nothing of it reaches the service any more. */
  async dies(ref: SecretRef, at: number): Promise<void> {
    let isDead = false
    this.double.fault = ({ name, staging }) => {
      isDead ||= name === 'AddSecretVersion' && !staging
      return isDead ? 'unavailable' : undefined
    }
    try {
      await this.rotates(ref, at)
      throw new Error(`The rotation of ${ref.shown} did not die.`)
    } catch (cause) {
      if (!(cause instanceof RotationError)) throw cause
    } finally {
      this.double.fault = () => undefined
    }
  }

  /** Somebody cuts off the journal in the annotation of the staging place. */
  cutOff({ key }: SecretRef): void {
    const place = this.double.secrets.get(`${key}--pending`)
    if (place === undefined) throw new Error(`${key} has no staging place.`)
    place.annotations = new Map(place.annotations).set('keyturn-state', '{"retiring":')
  }

  #deps(): Deps {
    return {
      store: this.store,
      loadRotator,
      infer: () => ({}),
      configuration: async () => configuration,
      loadNotifier,
      journal: true,
      readAdmin: (text) => this.store.readCurrent(text),
      env: this.#env,
      audit: { write: async () => {} },
      holder: 'gcp-fleet-00001-abc-0123456789ab-1',
      leaseMs: 290_000,
      shortGrace: false,
    }
  }
}
