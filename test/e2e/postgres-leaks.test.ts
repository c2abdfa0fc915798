import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Policy } from '../../shared/core/ports/words.js'
import { direct } from '../harness/pg-direct.js'
import { assertClean, printed } from '../harness/pg-leaks.js'
import { freshLog, settledLog } from '../harness/pg-log.js'
import { createRole, onServers, type Suite } from '../harness/pg-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { PostgresWorld } from '../harness/postgres-world.js'

const talkative = {
  log_statement: 'all',
  log_min_duration_statement: '0',
  log_min_error_statement: 'debug5',
  log_parameter_max_length: '-1',
}
const canary = (name: string): string => `Canary"%'\\ü ${name} 0123456789`
const rotations = 5

interface Case {
  readonly name: string
  readonly roles: readonly string[]
  readonly policy: Policy
  readonly acting?: true
}
const byAdmin = { 'keyturn-admin': 'memory:admin' }
const alternate = { ...byAdmin, 'keyturn-strategy': 'alternate', 'keyturn-grace': '1s' }
const cases: readonly Case[] = [
  { name: 'replace by the account itself', roles: ['leak_self'], policy: {} },
  { name: 'replace by an administrator', roles: ['leak_other'], policy: byAdmin },
  { name: 'alternate, plain pair', roles: ['leak_a', 'leak_b'], policy: { ...alternate, 'keyturn-pair': 'leak_a leak_b' } },
  { name: 'alternate, acting pair', roles: ['leak_c', 'leak_d'], policy: { ...alternate, 'keyturn-pair': 'leak_c leak_d' }, acting: true },
]

async function arrange({ server }: Suite, { roles, acting }: Case): Promise<void> {
  const [first] = roles
  for (const role of roles) {
    await createRole(server, role, canary(role))
    if (!acting && role !== first) await asSuper(server, `grant ${first} to ${role}`)
    if (acting) await asSuper(server, `grant app_owner to ${role}; alter role ${role} set role to 'app_owner'`)
  }
}

onServers(
  'what a rotation leaves in logs and errors',
  (suite) => {
    for (const one of cases) {
      it(`${one.name}: ${rotations} of ${rotations} rotations leave nothing of old and new password`, async () => {
        const { server } = suite
        const { roles, policy } = one
        const [username = ''] = roles
        await arrange(suite, one)
        const password = canary(username)
        const url = `postgres://${username}:${encodeURIComponent(password)}@127.0.0.1/postgres`
        const world = await PostgresWorld.open(server, { policy, value: { username, password, url } })
        const secrets = [password]
        let errors = ''
        await freshLog(server)
        for (let turn = 0; turn < rotations; turn++) {
          world.skewMs += 3_600_000
          if (policy['keyturn-admin']) {
            // The server logs the whole text of a statement that fails, whatever log_statement says.
            await asSuper(server, 'alter role keyturn_admin nocreaterole')
            await assert.rejects(world.rotate(), (cause: Error & { code?: string }) => {
              errors += printed(cause)
              return cause.code === 'target_denied'
            })
            await asSuper(server, 'alter role keyturn_admin createrole')
          }
          const { outcome } = await world.rotate()
          const now = await world.current()
          assert.equal(outcome, 'published')
          assert.ok(!secrets.includes(now.password ?? ''))
          secrets.push(now.password ?? '')
          assert.equal(now.url, `postgres://${now.username}:${now.password}@127.0.0.1/postgres`)
        }
        const last = roles.find((role) => role !== username) ?? username
        if (roles.length > 1) {
          const { rotator, context } = await direct(world)
          const id = rotator.identify(context.current) === last ? username : last
          await rotator.retire(context, id as ReturnType<typeof rotator.identify>)
        }
        const log = await settledLog(server)
        assert.match(log, /ALTER ROLE "leak_\w+" (LOGIN )?PASSWORD 'SCRAM-SHA-256\$/)
        if (policy['keyturn-admin']) assert.match(log, /ERROR: {2}permission denied[\s\S]*?STATEMENT: {2}BEGIN READ WRITE; ALTER ROLE/)
        assertClean(secrets, log, 'the log of the server')
        assertClean(secrets, world.everythingWritten(), 'logs and audit records')
        assertClean(secrets, errors, 'errors')
        assert.equal(secrets.length, rotations + 1)
        const { username: user = '', password: final = '' } = await world.current()
        assert.ok(await logsIn(server, user, final))
      })
    }

    it('hash=server over plaintext is refused before the password is sent, and says nothing of it', async () => {
      const { server } = suite
      await createRole(server, 'leak_plain', canary('leak_plain'))
      const value = { username: 'leak_plain', password: canary('leak_plain') }
      const world = await PostgresWorld.open(server, { policy: { 'keyturn-hash': 'server' }, value })
      await freshLog(server)
      const seen: string[] = []
      await assert.rejects(world.rotate(), (cause: Error & { code?: string; field?: string }) => {
        seen.push(printed(cause))
        return cause.code === 'bad_policy' && cause.field === 'keyturn-hash'
      })
      const { pending } = await world.store.describe(world.ref)
      const staged = pending ? (JSON.parse((await world.store.read(world.ref, pending.id)).reveal()) as { password: string }).password : ''
      const secrets = [value.password, ...(staged === '' ? [] : [staged])]
      assertClean(secrets, `${await settledLog(server)}${world.everythingWritten()}${seen.join('')}`, 'logs and errors')
      assert.equal((await world.current()).password, value.password)
    })
  },
  () => ({ settings: talkative }),
)
