import type { SecretStoreAdmin } from '../../shared/core/ports/store.js'
import type { Policy, RotationRequest, SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { AuditRecord } from '../../shared/lifecycle/guard/index.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { type Deps, noConfiguration, type RotationResult } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { AdminApi } from '../../shared/rotators/cloud-sql/api.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { CloudSqlDouble, type SqlInstance } from './cloud-sql.js'
import { FakeEnv } from './fake-env.js'
import { currentProcess, effect, type FakeProcess, inProcess, reading } from './faults.js'
import { GoogleMachine } from './gcp-machine.js'
import { LedHosts } from './lead-hosts.js'
import { asSuper } from './postgres-client.js'
import type { PostgresServer } from './postgres-server.js'
import { firstPassword } from './postgres-world.js'
import { type AnyStore, laterMs, type OpenStore } from './world.js'

/** In this process: Google's machine, and the Admin API at a double. Each of its calls is an effect of the process that makes it. */
export class CloudSqlWorld {
  readonly double: CloudSqlDouble
  readonly machine: GoogleMachine
  readonly #led: LedHosts
  readonly #calls: Readonly<Record<string, unknown>>
  private constructor(double: CloudSqlDouble, machine: GoogleMachine, led: LedHosts) {
    this.double = double
    this.machine = machine
    this.#led = led
    const { instance, user, setPassword, operation } = AdminApi.prototype
    this.#calls = { instance, user, setPassword, operation }
  }
  static async open(): Promise<CloudSqlWorld> {
    const [machine, double] = [await GoogleMachine.open(), await CloudSqlDouble.open()]
    const world = new CloudSqlWorld(double, machine, await LedHosts.open({ 'sqladmin.googleapis.com': double.port }))
    world.#watch()
    return world
  }
  watch: (name: string) => Promise<void> = async () => {}
  #watch(): void {
    for (const [name, call] of Object.entries(this.#calls)) {
      const seen = (done: string) => this.watch(done)
      const shown = name === 'setPassword' ? 'target.set' : reading(`target.${name}`)
      const made = function (this: AdminApi, ...given: readonly unknown[]): unknown {
        const act = () => Reflect.apply(call as (...all: readonly unknown[]) => unknown, this, given)
        return currentProcess() === undefined ? act() : effect(shown, act, seen)
      }
      Object.assign(AdminApi.prototype, { [name]: made })
    }
  }
  /** As it was before anything happened. */
  reset(): void {
    const { double } = this
    double.instances.splice(0)
    double.operations.splice(0)
    double.calls.splice(0)
    double.mayNot.clear()
    double.fault = () => undefined
    double.refuses = () => undefined
    double.onEffect = async () => {}
    Object.assign(double, { pendingMs: 1500, runningMs: 3000 })
  }
  async close(): Promise<void> {
    Object.assign(AdminApi.prototype, this.#calls)
    await this.#led.close()
    await this.double.close()
    await this.machine.close()
  }
}

/** What kind of instance, and how its values are proven. `server`: the PostgreSQL behind it, to which a network path leads. */
export interface Kind {
  readonly name: string
  readonly version: string
  readonly policy: Policy
  readonly server?: PostgresServer
}
export const byAnswer = (version: string): Kind => ({
  name: `${version.split('_')[0]}, by the answer`,
  version,
  policy: { 'keyturn-proven-by': 'answer' },
})

/** One secret before a rotation, and the user of an instance that has its password. */
export class CloudSqlPoint {
  readonly env: FakeEnv
  readonly store: AnyStore & SecretStoreAdmin
  readonly ref: SecretRef
  readonly instance: SqlInstance
  readonly audit: AuditRecord[] = []
  readonly token = 'a-token-of-a-person-0123456789abcdef' as Token
  private constructor(env: FakeEnv, store: AnyStore, ref: SecretRef, instance: SqlInstance) {
    this.env = env
    this.store = store
    this.ref = ref
    this.instance = instance
  }

  static async open(
    world: CloudSqlWorld,
    openStore: OpenStore,
    kind: Kind,
    more: object = {},
    policy: Policy = {},
  ): Promise<CloudSqlPoint> {
    world.reset()
    const { server, version } = kind
    const env = new FakeEnv(`cloud-sql-${Date.now()}`, Date.now())
    world.double.now = env.now
    const instance = world.double.make({ version })
    instance.users.set(version.startsWith('MYSQL') ? 'app@%' : 'app', { password: firstPassword })
    if (server !== undefined) {
      await asSuper(server, `alter role app password '${firstPassword}'`)
      world.double.onEffect = async (user, password) => void (await asSuper(server, `alter role ${user} password '${password}'`))
    }
    const place =
      server === undefined ? { host: 'db.invalid' } : { host: '127.0.0.1', port: server.port, dbname: 'postgres', sslmode: 'disable' }
    const store = await openStore(env, (name, act) => effect(name, act, (done) => world.watch(done)))
    const value = new SecretText(JSON.stringify({ ...place, username: 'app', note: 'stays', password: firstPassword, ...more }))
    const own = { 'keyturn-rotator': 'cloud-sql', 'keyturn-instance': 'shop-prod:europe-west3:main', ...kind.policy, ...policy }
    const ref = await store.create('db', value, own)
    env.time += laterMs * 8
    return new CloudSqlPoint(env, store, ref, instance)
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
  /** What the instance has. */
  get has(): string | undefined {
    return [...this.instance.users.values()][0]?.password
  }
}
