import assert from 'node:assert/strict'
import { it } from 'node:test'
import { deriveToken } from '../../shared/core/ids.js'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { attemptsOn, countsOn, freshLog } from '../harness/pg-log.js'
import { onServers, published } from '../harness/pg-suite.js'
import { logsIn } from '../harness/postgres-client.js'
import { firstPassword, PostgresWorld, type PostgresWorldOptions } from '../harness/postgres-world.js'

const byAdmin = { 'keyturn-admin': 'memory:admin' }
const alternate = { ...byAdmin, 'keyturn-strategy': 'alternate', 'keyturn-grace': '1s' }
const clean: readonly (readonly [name: string, username: string, policy: Policy, logins: readonly string[]])[] = [
  ['replace by the account itself', 'app', {}, ['app', 'app']],
  ['replace by an administrator', 'app', byAdmin, ['keyturn_admin', 'app']],
  ['replace by an acting account itself', 'app_a', {}, ['app_a', 'app_a']],
  ['alternate, plain pair', 'plain', { ...alternate, 'keyturn-pair': 'plain plain_clone' }, ['keyturn_admin', 'plain_clone']],
  ['alternate, plain pair by default names', 'plain', alternate, ['keyturn_admin', 'plain_clone']],
  ['alternate, acting pair', 'app_b', { ...alternate, 'keyturn-pair': 'app_a app_b' }, ['keyturn_admin', 'app_a']],
]

interface Refusal {
  readonly name: string
  readonly code: string
  readonly field: string
  readonly options: PostgresWorldOptions
  /** Staged by hand: fields that differ from the current value. */
  readonly pending?: Readonly<Record<string, unknown>>
}
const refusals: readonly Refusal[] = [
  {
    name: 'the administrator is the rotated account',
    code: 'admin_mismatch',
    field: 'keyturn-admin',
    options: { policy: byAdmin, adminValue: { username: 'app' } },
  },
  {
    name: 'the administrator is the idle login of the pair',
    code: 'admin_mismatch',
    field: 'keyturn-admin',
    options: { policy: { ...alternate, 'keyturn-pair': 'app keyturn_admin' } },
  },
  {
    name: "the administrator's secret names another host",
    code: 'admin_mismatch',
    field: 'keyturn-admin',
    options: { policy: byAdmin, adminValue: { host: 'localhost' } },
  },
  {
    name: "the administrator's secret names another port",
    code: 'admin_mismatch',
    field: 'keyturn-admin',
    options: { policy: byAdmin, adminValue: { port: 5432 } },
  },
  {
    name: 'alternate without an administrator',
    code: 'bad_policy',
    field: 'keyturn-admin',
    options: { policy: { 'keyturn-strategy': 'alternate' } },
  },
  {
    name: 'the pair does not name the current login',
    code: 'bad_policy',
    field: 'keyturn-pair',
    options: { policy: { ...alternate, 'keyturn-pair': 'other one' } },
  },
  { name: 'the pending value names another host', code: 'bad_value', field: 'host', options: {}, pending: { host: 'localhost' } },
  { name: 'the pending value names another port', code: 'bad_value', field: 'port', options: {}, pending: { port: 1 } },
  { name: 'the pending value names another database', code: 'bad_value', field: 'database', options: {}, pending: { dbname: 'template1' } },
  { name: 'the pending value names another user', code: 'bad_value', field: 'username', options: {}, pending: { username: 'plain' } },
  {
    name: 'the pending value names a user outside the pair',
    code: 'bad_value',
    field: 'username',
    options: { policy: { ...alternate, 'keyturn-pair': 'app app_a' } },
    pending: { username: 'plain' },
  },
  {
    name: 'the pending password is not printable ASCII',
    code: 'bad_value',
    field: 'password',
    options: {},
    pending: { password: 'decomposed-e\u0301-0123456789-abcdef' },
  },
]

onServers('connections', (suite) => {
  for (const [name, username, policy, logins] of clean) {
    it(`${name}: two connections, none refused`, async () => {
      const { server } = suite
      const password = current.get(username) ?? firstPassword
      const world = await PostgresWorld.open(server, { policy, value: { username, password } })
      await freshLog(server)
      assert.equal((await world.rotate()).outcome, 'published')
      const attempts = await attemptsOn(server)
      assert.deepEqual(
        attempts.map(({ user }) => user),
        logins,
      )
      assert.deepEqual(await countsOn(server), { connections: 2, accepted: 2, refused: 0 })
      const now = await world.current()
      current.set(now.username ?? '', now.password ?? '')
      assert.ok(await logsIn(server, now.username ?? '', now.password ?? ''))
    })
  }

  for (const { name, code, field, options, pending } of refusals) {
    it(`${name}: refused before anything is touched`, async () => {
      const { server } = suite
      const password = current.get('app') ?? firstPassword
      const world = await PostgresWorld.open(server, { ...options, value: { password } })
      if (pending) {
        const state = await world.store.describe(world.ref)
        const token = deriveToken('rotate', world.ref, state.current?.id ?? null, 0)
        const claim = await world.store.claim(state, { token, kind: 'rotate', holder: 'by hand', leaseMs: 0 })
        const fresh = { ...(await world.current()), password: 'pending-Password-0123456789-abcdef', ...pending }
        await world.store.stage(claim, new SecretText(JSON.stringify(fresh)))
      }
      const before = published(await world.store.describe(world.ref))
      await freshLog(server)
      await assert.rejects(world.rotate(), (cause: Error & { code?: string; field?: string; next?: string }) => {
        assert.deepEqual({ code: cause.code, field: cause.field }, { code, field })
        return (cause.next ?? '').length > 10
      })
      assert.deepEqual(await countsOn(server), { connections: 0, accepted: 0, refused: 0 })
      assert.deepEqual(published(await world.store.describe(world.ref)), before)
      assert.ok(await logsIn(server, 'app', password))
    })
  }

  /** What the tests above left behind, by login. */
  const current = new Map<string, string>()
})
