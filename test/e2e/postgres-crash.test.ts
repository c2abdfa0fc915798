import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import type { AnyRotator } from '../../shared/core/ports/rotator.js'
import type { Policy, RotationRequest, SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { Deps } from '../../shared/lifecycle/deps.js'
import { noConfiguration } from '../../shared/lifecycle/deps.js'
import { rotate } from '../../shared/lifecycle/rotate.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { FakeEnv } from '../harness/fake-env.js'
import { Crash, effect, type FakeProcess, type FaultMode, inProcess, startProcess } from '../harness/faults.js'
import { asSuper, loginsIn, logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { adminPassword, arrangeRoles, firstPassword } from '../harness/postgres-world.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const token = 'a-token-of-a-person-0123456789abcdef' as Token
const laterMs = 16 * 60_000
const modes = ['before', 'after', 'lost'] as const satisfies readonly FaultMode[]
/** In turn, so that each meets every effect over all profiles and strategies. */
const ways = ['same token', 'resume', 'new request', 'wiped, new request'] as const
const engineProfiles = (Object.keys(profiles) as ProfileName[]).filter((name) => !profiles[name].serviceDriven)

interface Strategy {
  readonly name: string
  readonly users: readonly string[]
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
  async function open(profile: ProfileName, { users, policy }: Strategy) {
    const [first = ''] = users
    for (const user of users) await asSuper(server, `alter role ${user} password '${user === first ? firstPassword : 'idle-0123456789'}'`)
    const env = new FakeEnv(`${profile}-${Date.now()}`, Date.now())
    const watched = <T>(name: string, act: () => T | Promise<T>) => effect(name, act, async () => {})
    const store = new MemoryStore(env, profiles[profile], watched)
    const ref = await store.create('db', value(first, firstPassword), { 'keyturn-rotator': 'postgres', ...policy })
    env.time += laterMs * 8
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
        ref: { store: 'memory', key: 'admin', shown: 'memory:admin' },
      }),
      env,
      audit: { write: async () => {} },
      holder,
      leaseMs: 15 * 60_000,
      shortGrace: true,
    })
    const run = (process: FakeProcess, request: Partial<RotationRequest> = { token }) =>
      inProcess(process, () => rotate(deps(process.name), { kind: 'rotate', ref: ref.shown, at: env.time, ...request }))
    return { env, store, ref, run }
  }

  async function currentOf(store: MemoryStore, ref: SecretRef): Promise<{ username: string; password: string }> {
    const { current } = await store.describe(ref)
    if (current === undefined) throw new Error('no current version')
    return JSON.parse((await store.read(ref, current.id)).reveal()) as { username: string; password: string }
  }

  for (const profile of engineProfiles) {
    for (const strategy of strategies) {
      it(`${profile} × ${strategy.name}: killed before and after every effect, and gone on with`, async () => {
        const rehearsal = await open(profile, strategy)
        const dry = startProcess('dry')
        await rehearsal.run(dry)
        assert.ok(dry.effects.includes('apply') && dry.effects.length >= 4)
        for (const [at, name] of dry.effects.entries()) {
          for (const mode of modes) {
            const { env, store, ref, run } = await open(profile, strategy)
            const what = `${mode} ${name}`
            await run(startProcess('first', [{ at, mode }])).catch((cause: unknown) =>
              assert.ok(cause instanceof RotationError || cause instanceof Crash, what),
            )
            if (strategy.users.length > 1)
              assert.ok(
                await logsIn(server, (await currentOf(store, ref)).username, (await currentOf(store, ref)).password),
                `${what}: current works all the time`,
              )
            env.time += laterMs
            server.clearLog()
            const way = ways[(at + modes.indexOf(mode)) % ways.length] ?? 'same token'
            if (way === 'wiped, new request') store.wipeJournal(ref)
            const request = way === 'same token' ? { token } : way === 'resume' ? { kind: 'resume' as const } : {}
            const settled = run(startProcess('second'), request)
            await settled.catch((cause: unknown) =>
              assert.ok(way !== 'same token' && codeOf(cause) === 'held', `${what}, ${way}: ${codeOf(cause)}`),
            )
            assert.ok(loginsIn(server.log).refused <= 1, `${what}, ${way}: at most one refused login`)
            const { username, password } = await currentOf(store, ref)
            assert.ok(await logsIn(server, username, password), `${what}: the stored current value logs in`)
            if (way === 'same token') assert.equal((await store.describe(ref)).current?.ours, token, what)
          }
        }
      })
    }
  }
})
