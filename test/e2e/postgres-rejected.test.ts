import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import { Authority } from '../harness/pg-certificates.js'
import { assertClean, printed } from '../harness/pg-leaks.js'
import { countsOn, freshLog, settledLog } from '../harness/pg-log.js'
import { createRole, onServers } from '../harness/pg-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { firstPassword, PostgresWorld } from '../harness/postgres-world.js'

const authority = new Authority()
const certificate = authority.issue(['IP:127.0.0.1'])

const long = firstPassword.repeat(3)
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected

onServers(
  "the server's own password rule",
  (suite) => {
    before(async () => {
      await asSuper(suite.server, 'alter system set passwordcheck.min_password_length = 64')
      await asSuper(suite.server, 'select pg_reload_conf()')
      await freshLog(suite.server)
    })
    const open = async (username: string, policy: Readonly<Record<string, string>>) => {
      await createRole(suite.server, username, long)
      return PostgresWorld.open(suite.server, {
        policy,
        value: { username, password: long, sslmode: undefined, ca: authority.ca },
        adminValue: { sslmode: undefined, ca: authority.ca },
      })
    }

    it('cannot look into a verifier, so it takes it', async () => {
      const world = await open('ruled_1', {})
      assert.equal((await world.rotate()).outcome, 'published')
    })

    for (const by of ['the account itself', 'an administrator']) {
      it(`refuses clear text of ${by}: three values, one refused login each, then stuck; current still works`, async () => {
        const { server } = suite
        const name = by.startsWith('the') ? 'ruled_2' : 'ruled_3'
        const world = await open(name, { 'keyturn-hash': 'server', ...(name === 'ruled_3' ? { 'keyturn-admin': 'memory:admin' } : {}) })
        const { current } = await world.store.describe(world.ref)
        await freshLog(server)
        let error = ''
        await assert.rejects(world.rotate(), (cause) => {
          error = printed(cause)
          return code('stuck')(cause)
        })
        const log = await settledLog(server)
        const tried = [...log.matchAll(/STATEMENT:.*PASSWORD '([^']+)'/g)].map((match) => match[1] ?? '')
        assert.equal(new Set(tried).size, 3)
        assert.equal((await countsOn(server)).refused, 3)
        assertClean([...tried, long], `${error}${world.everythingWritten()}`, 'logs, audit records and the error')
        assert.equal((await world.store.describe(world.ref)).current?.id, current?.id)
        assert.ok(await logsIn(server, name, long))
        await freshLog(server)
        await assert.rejects(world.rotate(), code('stuck'))
        assert.equal((await countsOn(server)).connections, 0)
      })
    }

    it('is kept by a longer password', async () => {
      const { server } = suite
      const world = await open('ruled_4', { 'keyturn-hash': 'server', 'keyturn-length': '80' })
      assert.equal((await world.rotate()).outcome, 'published')
      const { password = '' } = await world.current()
      assert.equal(password.length, 80)
      assert.ok(await logsIn(server, 'ruled_4', password))
      const [row] = await asSuper<{ rolpassword: string }>(server, "select rolpassword from pg_authid where rolname = 'ruled_4'")
      assert.match(row?.rolpassword ?? '', /^SCRAM-SHA-256\$/)
    })
  },
  () => ({ tls: certificate, settings: { shared_preload_libraries: 'passwordcheck' } }),
  [18], // the setting for the length came with 18
)
