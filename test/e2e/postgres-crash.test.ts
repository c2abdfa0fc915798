import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import type { AnyRotator } from '../../shared/core/ports/rotator.js'
import type { StepService } from '../../shared/core/ports/service.js'
import type { Policy, RotationRequest, Step, Token } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { serve } from '../../shared/lifecycle/service/serve.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import type { MemoryStore } from '../../shared/stores/memory.js'
import type { Setting } from '../crash/matrix.js'
import { sampler } from '../crash/sample.js'
import { settingOf, watchedStores } from '../crash/settings.js'
import { FakeEnv } from '../harness/fake-env.js'
import { Crash, effect, type FakeProcess, type Fault, inProcess, startProcess } from '../harness/faults.js'
import { asSuper, loginsIn, logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { adminPassword, arrangeRoles, firstPassword } from '../harness/postgres-world.js'
import { laterMs } from '../harness/world.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const ourToken = 'a-token-of-a-person-0123456789abcdef' as Token
const troubles = ['before', 'after', 'lost', 'second holder', 'taken over'] as const
type Trouble = (typeof troubles)[number]
/** In turn, so that each meets every effect over all settings and strategies. */
const ways = ['same token', 'resume', 'new request', 'wiped, new request'] as const
type Way = (typeof ways)[number]
/** Every profile of a store, and the real file store; which class of the memory target it names does not matter here. */
const settings: readonly Setting[] = [...watchedStores.map((watched) => ({ ...settingOf(watched, 'a'), name: watched.name }))]

interface Strategy {
  readonly name: string
  readonly users: readonly [string, ...string[]]
  /** A login that does not exist before the rotation. */
  readonly makes?: string
  readonly policy: Policy
}
const strategies: readonly Strategy[] = [
  { name: 'replace', users: ['app'], policy: {} },
  { name: 'replace by an administrator', users: ['app'], policy: { 'keyturn-admin': 'memory:admin' } },
  {
    name: 'alternate',
    users: ['app_a', 'app_b'],
    policy: { 'keyturn-strategy': 'alternate', 'keyturn-pair': 'app_a app_b', 'keyturn-admin': 'memory:admin' },
  },
  {
    name: 'alternate, whose second login is made',
    users: ['app'],
    makes: 'app_clone',
    policy: { 'keyturn-strategy': 'alternate', 'keyturn-admin': 'memory:admin' },
  },
]

describe('crash matrix on a real server', { skip }, () => {
  let server: PostgresServer
  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  after(async () => {
    await server?.stop()
    await removeCopies()
  })
  const value = (username: string, password: string) =>
    new SecretText(JSON.stringify({ host: '127.0.0.1', port: server.port, username, password, dbname: 'postgres', sslmode: 'disable' }))

  /** A secret as it is before a rotation: the first user logs in with the first password. */
  async function open(setting: Setting, { users, makes, policy }: Strategy) {
    if (makes !== undefined) await asSuper(server, `drop role if exists ${makes}`)
    for (const user of users)
      await asSuper(server, `alter role ${user} password '${user === users[0] ? firstPassword : 'idle-0123456789'}'`)
    const env = new FakeEnv(`${setting.name}-${Date.now()}`, Date.now())
    const watched = <T>(name: string, act: () => T | Promise<T>) => effect(name, act, async () => {})
    const store = await setting.openStore(env, watched)
    const ref = await store.create('db', value(users[0], firstPassword), { 'keyturn-rotator': 'postgres', ...policy })
    env.time += laterMs * 8
    const token = (setting.serviceDriven ? await store.startNative?.(ref) : undefined) ?? ourToken
    const inner = await loadRotator('postgres')
    const rotator: AnyRotator = { ...inner, apply: (context, pending) => watched('apply', () => inner.apply(context, pending)) }
    const deps = (holder: string): Deps => ({
      store,
      loadRotator: async () => rotator,
      infer: () => ({}),
      configuration: async () => noConfiguration,
      loadNotifier,
      journal: true,
      readAdmin: async () => ({
        value: value('keyturn_admin', adminPassword),
        ref: { store: storeKind('memory'), key: 'admin', shown: 'memory:admin', name: 'admin' },
      }),
      env,
      audit: { write: async () => {} },
      holder,
      leaseMs: 15 * 60_000,
      shortGrace: true,
    })
    const one = (process: FakeProcess, request: Partial<RotationRequest>) =>
      inProcess(process, () => rotate(deps(process.name), { kind: 'rotate', ref: ref.shown, at: env.time, ...request }))
    const run = async (process: FakeProcess, request: Partial<RotationRequest> = { token }): Promise<void> => {
      if (!setting.serviceDriven) return void (await one(process, request))
      const steps: StepService = { stepState: (asked) => store.describe(asked) }
      for (const step of ['create', 'set', 'test', 'finish'] as const satisfies readonly Step[])
        await inProcess(process, () => serve(deps(process.name), steps, { kind: 'rotate', ref: ref.shown, at: env.time, token, step }))
    }
    const current = async (): Promise<{ username: string; password: string }> => {
      const { current } = await store.describe(ref)
      if (current === undefined) throw new Error('no current version')
      return JSON.parse((await store.read(ref, current.id)).reveal()) as { username: string; password: string }
    }
    return { env, store, ref, run, token, current }
  }
  type Opened = Awaited<ReturnType<typeof open>>

  /** One invocation that may die or be refused, never with anything but a crash or an error of ours. */
  const attempt = (what: string, running: Promise<void>): Promise<void> =>
    running.catch((cause: unknown) => assert.ok(cause instanceof RotationError || cause instanceof Crash, `${what}: ${String(cause)}`))

  function faultOf({ env, run }: Opened, at: number, trouble: Trouble): Fault {
    const other = async (waits: number): Promise<void> => {
      env.time += waits
      await attempt('the second holder', run(startProcess('other')))
    }
    if (trouble === 'second holder') return { at, mode: 'act', act: () => other(0) }
    if (trouble === 'taken over') return { at, mode: 'act', act: () => other(laterMs) }
    return { at, mode: trouble }
  }

  async function goOn({ env, store, ref, run, token }: Opened, setting: Setting, way: Way, what: string): Promise<void> {
    env.time += laterMs
    server.clearLog()
    const request = way === 'same token' ? { token } : way === 'resume' ? { kind: 'resume' as const } : {}
    if (way === 'wiped, new request' && setting.memory) (store as MemoryStore).wipeJournal(ref)
    await run(startProcess('next'), request).catch((cause: unknown) =>
      assert.ok(way !== 'same token' && codeOf(cause) === 'held', `${what}: ${codeOf(cause)}`),
    )
    assert.ok(loginsIn(server.log).refused <= 1, `${what}: at most one refused login`)
  }

  async function point(setting: Setting, strategy: Strategy, at: number, trouble: Trouble, way: Way, what: string): Promise<void> {
    const opened = await open(setting, strategy)
    await attempt(what, opened.run(startProcess('first', [faultOf(opened, at, trouble)])))
    const outgoing = await opened.current()
    if (strategy.policy['keyturn-strategy'] === 'alternate')
      assert.ok(await logsIn(server, outgoing.username, outgoing.password), `${what}: current works all the time`)
    await goOn(opened, setting, way, what)
    const { username, password } = await opened.current()
    assert.ok(await logsIn(server, username, password), `${what}: the stored current value logs in`)
    if (way === 'same token') assert.equal((await opened.store.describe(opened.ref)).current?.ours, opened.token, what)
    await setting.close?.()
  }

  const sample = sampler(8)
  for (const setting of settings) {
    for (const strategy of strategies) {
      it(`${setting.name} × ${strategy.name}: killed, overtaken and joined at every effect, and gone on with`, async () => {
        const dry = startProcess('dry')
        await (await open(setting, strategy)).run(dry)
        await setting.close?.()
        assert.ok(dry.effects.includes('apply') && dry.effects.length >= (setting.serviceDriven ? 3 : 4), dry.effects.join(' '))
        for (const [at, name] of dry.effects.entries()) {
          for (const [index, trouble] of troubles.entries()) {
            if (!sample.take()) continue
            const way = setting.serviceDriven ? 'same token' : (ways[(at + index) % ways.length] ?? 'same token')
            await point(setting, strategy, at, trouble, way, `${trouble} ${name}, ${way}`)
          }
        }
      })
    }
  }
})
