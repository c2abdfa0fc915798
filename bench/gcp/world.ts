import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { GcpSecretManagerDouble } from '../../test/harness/gcp-secret-manager.js'
import { firstPassword } from '../../test/harness/postgres-world.js'
import { type CallsMade, SkewedClock, StoreBench } from '../store/world.js'
import { Replay, record } from './replay.js'

/** The double of Secret Manager, the store over it by the vendor's client, and rotations of its secrets. */
export class GcpBench extends StoreBench {
  readonly prefix = 'gcp:'
  readonly double: GcpSecretManagerDouble
  readonly client: SecretManagerServiceClient
  protected readonly store: GcpSecretManagerAdmin

  static async open(): Promise<GcpBench> {
    const clock = new SkewedClock()
    return new GcpBench(await GcpSecretManagerDouble.open(clock.now), clock)
  }

  private constructor(double: GcpSecretManagerDouble, clock: SkewedClock) {
    super(clock)
    this.double = double
    this.client = new SecretManagerServiceClient(double.clientOptions)
    this.store = new GcpSecretManagerAdmin({
      env: this.env,
      project: 'p',
      open: () => new SecretManagerServiceClient(double.clientOptions),
    })
  }

  async count({ key }: SecretRef, act: () => Promise<void>): Promise<CallsMade> {
    const { double } = this
    double.calls.length = 0
    await act()
    const byName = Object.fromEntries(double.calls.map(({ name }) => [name, double.count(name)]))
    const adminCalls = double.calls.filter(({ secret }) => !secret?.startsWith(key)).length
    return { calls: double.count() - adminCalls, writes: double.writes(), consumerWrites: double.writes('consumer'), adminCalls, byName }
  }

  async bare(name: string, act: () => Promise<void>): Promise<() => Promise<void>> {
    const calls = await record(this.double, act)
    await this.create(`bare-${name}`, { password: firstPassword }, { 'keyturn-rotator': 'memory-a' })
    const replay = new Replay(this, calls, { from: name, to: `bare-${name}` })
    return () => replay.run()
  }

  async close(): Promise<void> {
    await this.store.close()
    await this.client.close()
    await this.double.close()
  }
}
