import type { SecretStoreAdmin } from '../../shared/core/ports/store.js'
import type { Policy, RotationRequest, SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { AuditRecord } from '../../shared/lifecycle/guard/index.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { type Deps, noConfiguration, type RotationResult } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { FakeEnv } from './fake-env.js'
import { currentProcess, effect, type FakeProcess, inProcess, reading } from './faults.js'
import { LedHosts } from './lead-hosts.js'
import type { PlaneDouble, PlaneOperation } from './plane-double.js'
import { asSuper } from './postgres-client.js'
import type { PostgresServer } from './postgres-server.js'
import { firstPassword } from './postgres-world.js'
import { type AnyStore, laterMs, type OpenStore } from './world.js'

export type AnyPlane = PlaneDouble<PlaneOperation, string>
/** What a world is made of. `api`: whose methods `calls` speak to the platform; that which sets a password is setPassword. */
interface Parts<D> {
  readonly double: D
  /** Where the credentials of the platform come from. */
  readonly machine: { close(): Promise<void> }
  readonly host: string
  readonly api: object
  readonly calls: readonly string[]
}

/** In this process: a machine of a platform, and its interface at a double. Each of its calls is an effect of the process that makes it. */
export class PlaneWorld<D extends AnyPlane = AnyPlane> {
  readonly double: D
  readonly #parts: Parts<D>
  readonly #led: LedHosts
  readonly #kept: Readonly<Record<string, unknown>>
  watch: (name: string) => Promise<void> = async () => {}
  private constructor(parts: Parts<D>, led: LedHosts) {
    this.double = parts.double
    this.#parts = parts
    this.#led = led
    this.#kept = Object.fromEntries(parts.calls.map((name) => [name, Reflect.get(parts.api, name)]))
    for (const [name, call] of Object.entries(this.#kept)) Object.assign(parts.api, { [name]: this.#watched(name, call) })
  }
  static async open<D extends AnyPlane>(parts: Parts<D>): Promise<PlaneWorld<D>> {
    return new PlaneWorld(parts, await LedHosts.open({ [parts.host]: parts.double.port }))
  }
  #watched(name: string, call: unknown): unknown {
    const seen = (done: string) => this.watch(done)
    const shown = name === 'setPassword' ? 'target.set' : reading(`target.${name}`)
    return function (this: unknown, ...given: readonly unknown[]): unknown {
      const act = () => Reflect.apply(call as (...all: readonly unknown[]) => unknown, this, given)
      return currentProcess() === undefined ? act() : effect(shown, act, seen)
    }
  }
  /** As it was before anything happened. */
  reset(): void {
    this.double.reset()
  }
  async close(): Promise<void> {
    Object.assign(this.#parts.api, this.#kept)
    await this.#led.close()
    await this.double.close()
    await this.#parts.machine.close()
  }
}

/** How values are proven, and by whom. `server`: the PostgreSQL behind it, to which a network path leads. */
export interface PlaneKind {
  readonly name: string
  readonly policy: Policy
  readonly server?: PostgresServer
}

/** One secret before a rotation, and the login of a server that has its password. */
export class PlanePoint {
  readonly env: FakeEnv
  readonly store: AnyStore & SecretStoreAdmin
  readonly ref: SecretRef
  readonly audit: AuditRecord[] = []
  readonly token = 'a-token-of-a-person-0123456789abcdef' as Token
  readonly #has: () => string | undefined
  protected constructor({ env, store, ref, has }: PlaneOpened) {
    this.env = env
    this.store = store
    this.ref = ref
    this.#has = has
  }

  deps(holder: string): Deps {
    return {
      store: this.store,
      loadRotator,
      infer: () => ({}),
      configuration: async () => noConfiguration,
      loadNotifier,
      journal: true,
      readAdmin: async () => {
        throw new Error('no administrator here')
      },
      env: this.env,
      audit: { write: async (record) => void this.audit.push(record) },
      holder,
      leaseMs: 15 * 60_000,
      shortGrace: true,
    }
  }
  /** One invocation in a process of its own. */
  run(process: FakeProcess, request: Partial<RotationRequest> = { token: this.token }, given?: SecretText): Promise<RotationResult> {
    const asked = { kind: 'rotate', ref: this.ref.shown, at: this.env.time } as const
    return inProcess(process, () => rotate(this.deps(process.name), { ...asked, ...request }, given))
  }
  act<T>(process: FakeProcess, act: (deps: Deps) => Promise<T>): Promise<T> {
    return inProcess(process, () => act(this.deps(process.name)))
  }
  async password(): Promise<string> {
    const { current } = await this.store.describe(this.ref)
    if (current === undefined) throw new Error('no current version')
    const text = (await this.store.read(this.ref, current.id)).reveal()
    return (JSON.parse(text) as { password: string }).password
  }
  /** What the server has. */
  get has(): string | undefined {
    return this.#has()
  }
}

export interface PlaneOpened {
  readonly env: FakeEnv
  readonly store: AnyStore & SecretStoreAdmin
  readonly ref: SecretRef
  has(): string | undefined
}
/** A secret with the first password of `app`, which the server behind it has as well. `has`: what the double says that it has. */
export async function openPlane(
  world: PlaneWorld,
  openStore: OpenStore,
  { server, policy }: PlaneKind,
  more: object,
  has: () => string | undefined,
): Promise<PlaneOpened> {
  const { double } = world
  const env = new FakeEnv(`plane-${Date.now()}`, Date.now())
  double.now = env.now
  if (server !== undefined) {
    await asSuper(server, `alter role app password '${firstPassword}'`)
    double.onEffect = async (user, password) => void (await asSuper(server, `alter role ${user} password '${password}'`))
  }
  const place =
    server === undefined ? { host: 'db.invalid' } : { host: '127.0.0.1', port: server.port, dbname: 'postgres', sslmode: 'disable' }
  const store = await openStore(env, (name, act) => effect(name, act, (done) => world.watch(done)))
  const value = new SecretText(JSON.stringify({ ...place, username: 'app', note: 'stays', password: firstPassword, ...more }))
  const ref = await store.create('db', value, policy)
  env.time += laterMs * 8
  return { env, store, ref, has }
}
