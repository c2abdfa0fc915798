import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import type { SecretRef, VersionId } from '../../shared/core/ports/words.js'
import type { SecretText } from '../../shared/core/secret-text.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { FakeEnv } from './fake-env.js'
import { GcpSecretManagerDouble } from './gcp-secret-manager.js'
import type { StoreHarness } from './stores.js'

/** The store over the double, through the vendor's client. `project` is the double's first one. */
export const openGcp = (double: GcpSecretManagerDouble, env: FakeEnv): GcpSecretManagerAdmin =>
  new GcpSecretManagerAdmin({ env, project: 'p', open: () => new SecretManagerServiceClient(double.clientOptions) })

/** Somebody adds a version past us. */
export const addForeign = (double: GcpSecretManagerDouble, { key }: SecretRef, value: SecretText): VersionId => {
  const { name } = double.do('AddSecretVersion', { parent: key, payload: { data: Buffer.from(value.reveal()) } })
  return (name ?? '').split('/').at(-1) as VersionId
}

/** A double and a store over it. The service has a clock of its own, unless both are to have one. */
export async function gcpHarness(clock?: 'one clock'): Promise<StoreHarness & { readonly double: GcpSecretManagerDouble }> {
  const env = new FakeEnv()
  const double = await GcpSecretManagerDouble.open(clock === undefined ? () => Date.now() : env.now)
  const opened: GcpSecretManagerAdmin[] = []
  const another = (): GcpSecretManagerAdmin => {
    const store = openGcp(double, env)
    opened.push(store)
    return store
  }
  return {
    double,
    store: another(),
    another,
    env,
    prefix: 'gcp:projects/p/secrets/',
    writeForeign: (ref, value) => addForeign(double, ref, value),
    close: async () => {
      for (const store of opened) await store.close()
      await double.close()
    },
  }
}
