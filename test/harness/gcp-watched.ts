import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import type { FakeEnv } from './fake-env.js'
import { CountedStore, countedStoreOf } from './gcp-counted.js'
import type { RequestOf } from './gcp-secret-manager/rpcs.js'
import { GcpSecretManagerDouble } from './gcp-secret-manager.js'
import { type Effects, watchedClient } from './gcp-watched-client.js'
import { disturbGcp, lagging, readersOf } from './gcp-watched-others.js'
import type { Watched } from './stores.js'

/** The double has one clock for all its secrets; here each project has one, that of its world. */
interface Generation {
  readonly double: GcpSecretManagerDouble
  readonly client: SecretManagerServiceClient
  /** By the number of the project, and by its id. */
  readonly stores: Map<string, { readonly env: FakeEnv; readonly store: CountedStore }>
  setClock(ms: number): void
}

/** How many worlds one double serves: what it remembers of each call is then thrown away with it. */
const worldsMax = 40

async function openGeneration(): Promise<Generation> {
  const stores: Generation['stores'] = new Map()
  let now = 0
  const double = await GcpSecretManagerDouble.open(() => now)
  double.fault = (call) => {
    const at = stores.get(call.resource.split('/')[1] ?? '')
    if (at === undefined) return undefined
    now = at.env.time
    return lagging(at.store.lag, call, at.store, now)
  }
  const setClock = (ms: number): void => {
    now = ms
  }
  return { double, client: new SecretManagerServiceClient(double.clientOptions), stores, setClock }
}

const end = async (open: Promise<Generation>): Promise<void> => {
  const { client, double } = await open
  await client.close()
  await double.close()
}

/** Opens worlds, each a project of its own. */
class Worlds {
  readonly #generations: Promise<Generation>[] = []
  #worlds = 0
  #left = 0

  async open(env: FakeEnv, effects: Effects, reads: boolean, Store = CountedStore): Promise<CountedStore> {
    const number = String(100_000_000_000 + ++this.#worlds)
    const project = `world-${this.#worlds}`
    const { double, client, stores, setClock } = await this.#generation()
    double.names.projects.set(project, number)
    const sends = (name: string, request: unknown): void => {
      const add = request as RequestOf<'AddSecretVersion'>
      if (name === 'AddSecretVersion' && !double.isStaging(add.parent ?? '')) store.sent.push(add)
    }
    const settles = (): void => setClock(env.time)
    const store = new Store({ env, project, open: watchedClient({ double, client, effects, reads, sends, settles }) }, double)
    stores.set(number, { env, store }).set(project, { env, store })
    return store
  }

  /** The last but one serves no world any more: many fewer than it served run at once. */
  async #generation(): Promise<Generation> {
    if (this.#left === 0) {
      this.#left = worldsMax
      this.#generations.push(openGeneration())
    }
    this.#left--
    const last = this.#generations.at(-1) ?? openGeneration()
    for (const old of this.#generations.splice(0, this.#generations.length - 2)) await end(old)
    return last
  }
  async close(): Promise<void> {
    this.#left = 0
    for (const old of this.#generations.splice(0)) await end(old)
  }
}

/** The store over the double, for the crash matrix: each call that writes is an effect. Each world is a project of its own. */
export function watchedGcp(Store = CountedStore, name = 'gcp store'): Watched {
  const worlds = new Worlds()
  return {
    name,
    serviceDriven: false,
    memory: false,
    bare: true,
    slow: true,
    open: (env, effects) => worlds.open(env, effects, false, Store),
    openReads: (env, effects) => worlds.open(env, effects, true, Store),
    wipe: (world) => {
      const secret = { name: `${world.ref.key}--pending`, annotations: {} }
      countedStoreOf(world).double.do('UpdateSecret', { secret, updateMask: { paths: ['annotations'] } })
    },
    disturb: (world, event) => disturbGcp(countedStoreOf(world), world, event),
    readers: (world) => readersOf(countedStoreOf(world), world),
    close: () => worlds.close(),
  }
}
