import assert from 'node:assert/strict'
import { RotationError } from '../../shared/core/errors.js'
import type { AnyRotator } from '../../shared/core/ports/rotator.js'
import type { StepService } from '../../shared/core/ports/service.js'
import type { Policy, RotationRequest, SecretRef, Step, Token } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { type Deps, noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { serve } from '../../shared/lifecycle/service/serve.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { FakeEnv } from './fake-env.js'
import { Crash, effect, type FakeProcess, inProcess } from './faults.js'
import { asSuper } from './postgres-client.js'
import type { PostgresServer } from './postgres-server.js'
import { adminPassword, firstPassword } from './postgres-world.js'
import { type AnyStore, laterMs, type OpenStore } from './world.js'

/** A store to be put before a real server. */
export interface PointStore {
  readonly name: string
  readonly serviceDriven: boolean
  readonly openStore: OpenStore
}
export interface Strategy {
  readonly name: string
  readonly users: readonly [string, ...string[]]
  /** A login that does not exist before the rotation. */
  readonly makes?: string
  readonly policy: Policy
}
interface Login {
  readonly username: string
  readonly password: string
}

/** One point of a crash matrix: a secret as it is before a rotation. The first user logs in with the first password. */
export class PostgresPoint {
  readonly server: PostgresServer
  readonly env: FakeEnv
  readonly store: AnyStore
  readonly ref: SecretRef
  readonly token: Token
  /** Looks after every effect. */
  watch: (name: string) => Promise<void> = async () => {}
  readonly #setting: PointStore
  #rotator!: AnyRotator

  static async open(server: PostgresServer, setting: PointStore, strategy: Strategy): Promise<PostgresPoint> {
    const { users, makes, policy } = strategy
    if (makes !== undefined) await asSuper(server, `drop role if exists ${makes}`)
    for (const user of users)
      await asSuper(server, `alter role ${user} password '${user === users[0] ? firstPassword : 'idle-0123456789'}'`)
    const env = new FakeEnv(`${setting.name}-${Date.now()}`, Date.now())
    let opened: PostgresPoint | undefined
    const watched = <T>(name: string, act: () => T | Promise<T>) => effect(name, act, async (done) => opened?.watch(done))
    const store = await setting.openStore(env, watched)
    const ref = await store.create('db', loginValue(server, users[0], firstPassword), { 'keyturn-rotator': 'postgres', ...policy })
    env.time += laterMs * 8
    const token = setting.serviceDriven ? await store.startNative?.(ref) : undefined
    const point = new PostgresPoint(server, setting, env, store, ref, token ?? ('a-token-of-a-person-0123456789abcdef' as Token))
    const inner = await loadRotator('postgres')
    point.#rotator = { ...inner, apply: (context, pending) => watched('apply', () => inner.apply(context, pending)) }
    opened = point
    return point
  }
  private constructor(server: PostgresServer, setting: PointStore, env: FakeEnv, store: AnyStore, ref: SecretRef, token: Token) {
    this.server = server
    this.#setting = setting
    this.env = env
    this.store = store
    this.ref = ref
    this.token = token
  }

  #deps(holder: string): Deps {
    return {
      store: this.store,
      loadRotator: async () => this.#rotator,
      infer: () => ({}),
      configuration: async () => noConfiguration,
      loadNotifier,
      journal: true,
      readAdmin: async () => ({
        value: loginValue(this.server, 'keyturn_admin', adminPassword),
        ref: { store: storeKind('memory'), key: 'admin', shown: 'memory:admin', name: 'admin' },
      }),
      env: this.env,
      audit: { write: async () => {} },
      holder,
      leaseMs: 15 * 60_000,
      shortGrace: true,
    }
  }

  /** One invocation; where the platform drives, all four steps. */
  async run(process: FakeProcess, request: Partial<RotationRequest> = { token: this.token }): Promise<void> {
    const asked = { kind: 'rotate', ref: this.ref.shown, at: this.env.time } as const
    const deps = this.#deps(process.name)
    if (!this.#setting.serviceDriven) return void (await inProcess(process, () => rotate(deps, { ...asked, ...request })))
    const steps: StepService = { stepState: (ref) => this.store.describe(ref) }
    for (const step of ['create', 'set', 'test', 'finish'] as const satisfies readonly Step[])
      await inProcess(process, () => serve(deps, steps, { ...asked, token: this.token, step }))
  }

  async current(): Promise<Login> {
    const { current } = await this.store.describe(this.ref)
    if (current === undefined) throw new Error('no current version')
    return JSON.parse((await this.store.read(this.ref, current.id)).reveal()) as Login
  }
}

const loginValue = ({ port }: PostgresServer, username: string, password: string): SecretText =>
  new SecretText(JSON.stringify({ host: '127.0.0.1', port, username, password, dbname: 'postgres', sslmode: 'disable' }))

/** One invocation that may die or be refused, never with anything but a crash or an error of ours. */
export const mayFail = (what: string, running: Promise<void>): Promise<void> =>
  running.catch((cause: unknown) => assert.ok(cause instanceof RotationError || cause instanceof Crash, `${what}: ${String(cause)}`))
