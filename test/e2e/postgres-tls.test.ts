import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Authority, type Certificate } from '../harness/pg-certificates.js'
import { assertClean, printed } from '../harness/pg-leaks.js'
import { attemptsOn, freshLog, settledLog } from '../harness/pg-log.js'
import { createRole, onServers, pendingOf, published } from '../harness/pg-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import type { PostgresServer } from '../harness/postgres-server.js'
import { firstPassword, PostgresWorld, type PostgresWorldOptions } from '../harness/postgres-world.js'

const authority = new Authority()
const stranger = new Authority()
const good = authority.issue(['IP:127.0.0.1', 'DNS:localhost'])
/** Another certificate, or none, without a new server. */
async function present(server: PostgresServer, certificate: Certificate | 'none'): Promise<void> {
  if (certificate !== 'none') {
    await writeFile(join(server.data, 'server.crt'), certificate.cert)
    await writeFile(join(server.data, 'server.key'), certificate.key)
  }
  await asSuper(server, `alter system set ssl = ${certificate === 'none' ? 'off' : 'on'}`)
  server.clearLog()
  await asSuper(server, 'select pg_reload_conf()')
  while (!server.log.includes('reloading configuration files')) await delay(5)
  await settledLog(server)
}

onServers(
  'TLS',
  (suite) => {
    const open = async (username: string, options: PostgresWorldOptions = {}) => {
      await createRole(suite.server, username, firstPassword)
      return PostgresWorld.open(suite.server, { ...options, value: { username, sslmode: undefined, ...options.value } })
    }
    const rotatesOverTls = async (world: PostgresWorld) => {
      const { server } = suite
      await freshLog(server)
      assert.equal((await world.rotate()).outcome, 'published')
      const attempts = await attemptsOn(server)
      assert.deepEqual(
        attempts.map(({ accepted, tls }) => ({ accepted, tls })),
        [
          { accepted: true, tls: true },
          { accepted: true, tls: true },
        ],
      )
      const { username = '', password = '' } = await world.current()
      assert.ok(await logsIn(server, username, password))
      assert.ok(!world.everythingWritten().includes('plaintext'))
    }
    const refusesTls = async (world: PostgresWorld) => {
      const { server } = suite
      const before = published(await world.store.describe(world.ref))
      await freshLog(server)
      await assert.rejects(world.rotate(), (cause: Error & { code?: string; next?: string }) => {
        assert.equal(cause.code, 'target_tls', cause.message)
        return (cause.next ?? '').length > 10
      })
      const attempts = await attemptsOn(server)
      assert.equal(attempts.length, 1, 'one connection, not repeated')
      assert.deepEqual([attempts[0]?.user, attempts[0]?.accepted], [undefined, false], 'nobody said who it is')
      assert.deepEqual(published(await world.store.describe(world.ref)), before)
    }

    it('CA from the secret', async () => rotatesOverTls(await open('ca_1', { value: { ca: authority.ca } })))
    it('CA from the secret as sslrootcert', async () => rotatesOverTls(await open('ca_2', { value: { sslrootcert: authority.ca } })))
    it('CA from KEYTURN_CA_FILE', async () => rotatesOverTls(await open('ca_3', { ca: authority.ca })))
    it('host by name', async () => rotatesOverTls(await open('ca_4', { ca: authority.ca, value: { host: 'localhost' } })))
    it('the CA of the secret wins over that of the environment', async () =>
      rotatesOverTls(await open('ca_5', { ca: stranger.ca, value: { ca: authority.ca } })))
    for (const sslmode of ['allow', 'prefer', 'require', 'verify-ca', 'verify-full'])
      it(`sslmode ${sslmode} verifies`, async () =>
        rotatesOverTls(await open(`mode_${sslmode}`, { ca: authority.ca, value: { sslmode, ssl: 'true' } })))

    it('alternate by an administrator', async () => {
      const policy = { 'keyturn-admin': 'memory:admin', 'keyturn-strategy': 'alternate', 'keyturn-pair': 'tls_a tls_b' }
      await createRole(suite.server, 'tls_b', firstPassword)
      const tls = { sslmode: 'verify-full', ca: authority.ca }
      const world = await open('tls_a', { policy, value: tls, adminValue: tls })
      await asSuper(suite.server, 'grant tls_a to tls_b')
      await rotatesOverTls(world)
    })

    it('a pending value that turns verification off by its secret is logged as plaintext', async () => {
      const world = await open('plain_by_choice', { value: { sslmode: 'disable' } })
      assert.equal((await world.rotate()).outcome, 'published')
      assert.match(world.everythingWritten(), /plaintext/)
    })

    for (const sslmode of [undefined, 'prefer', 'require', 'verify-ca'])
      it(`untrusted CA is refused (sslmode ${sslmode ?? 'absent'})`, async () =>
        refusesTls(await open(`untrusted_${sslmode?.replace('-', '_') ?? 'absent'}`, { value: { sslmode } })))
    it('a CA that did not sign it', async () => refusesTls(await open('other_ca', { value: { ca: stranger.ca } })))

    for (const sslmode of ['prefer', 'require', 'verify-ca', 'verify-full'])
      it(`wrong host name is refused (sslmode ${sslmode})`, async () => {
        await present(suite.server, authority.issue(['DNS:db.example.com', 'IP:127.0.0.2']))
        try {
          await refusesTls(await open(`name_${sslmode.replace('-', '_')}`, { ca: authority.ca, value: { sslmode } }))
        } finally {
          await present(suite.server, good)
        }
      })

    it('expired certificate', async () => {
      await present(suite.server, authority.issue(['IP:127.0.0.1'], 'expired'))
      try {
        await refusesTls(await open('expired', { ca: authority.ca }))
      } finally {
        await present(suite.server, good)
      }
    })

    it('server without TLS: refused, no attempt in plaintext', async () => {
      await present(suite.server, 'none')
      try {
        await refusesTls(await open('no_tls', { ca: authority.ca, value: { sslmode: 'prefer' } }))
      } finally {
        await present(suite.server, good)
      }
    })

    it('a TLS that was lost between two rotations is refused, and found again', async () => {
      const world = await open('lost_tls', { ca: authority.ca })
      await rotatesOverTls(world)
      world.skewMs += 1000
      await present(suite.server, 'none')
      await refusesTls(world).finally(() => present(suite.server, good))
      await rotatesOverTls(world)
    })

    it('hash=server: the server makes its own verifier of the clear text, over TLS', async () => {
      const world = await open('hashed', { ca: authority.ca, policy: { 'keyturn-hash': 'server' } })
      await rotatesOverTls(world)
      const [{ rolpassword } = { rolpassword: '' }] = await asSuper<{ rolpassword: string }>(
        suite.server,
        "select rolpassword from pg_authid where rolname = 'hashed'",
      )
      assert.match(rolpassword, /^SCRAM-SHA-256\$/)
      const { password = '' } = await world.current()
      assertClean([firstPassword, password], world.everythingWritten(), 'logs and audit records')
    })

    it('hash=server: a statement that fails gives nothing of the password away on our side', async () => {
      const { server } = suite
      const policy = { 'keyturn-hash': 'server', 'keyturn-admin': 'memory:admin' }
      const world = await open('hash_fails', { ca: authority.ca, policy, adminValue: { sslmode: undefined, ca: authority.ca } })
      await asSuper(server, 'alter role keyturn_admin nocreaterole')
      try {
        let error = ''
        await assert.rejects(world.rotate(), (cause: Error & { code?: string }) => {
          error = printed(cause)
          return cause.code === 'target_denied'
        })
        const pending = await pendingOf(world)
        assert.ok(pending?.password)
        assertClean([pending.password, firstPassword], `${world.everythingWritten()}${error}`, 'logs, audit records and the error')
      } finally {
        await asSuper(server, 'alter role keyturn_admin createrole')
      }
    })

    it('a bare password with keyturn-at is always sent over TLS', async () => {
      const { server } = suite
      await createRole(server, 'bare', firstPassword)
      const policy = { 'keyturn-at': `bare@127.0.0.1:${server.port}/postgres` }
      const world = await PostgresWorld.open(server, { policy, text: firstPassword, ca: authority.ca })
      await freshLog(server)
      assert.equal((await world.rotate()).outcome, 'published')
      assert.ok((await attemptsOn(server)).every(({ tls, accepted }) => tls && accepted))
      assert.ok(await logsIn(server, 'bare', await world.currentText()))
      const untrusting = await PostgresWorld.open(server, { policy, text: await world.currentText() })
      await refusesTls(untrusting)
    })

    /** Runs with these variables set, and puts the environment back. */
    const withVariables = async (variables: Readonly<Record<string, string>>, act: () => Promise<void>) => {
      const before = new Map(Object.keys(variables).map((name) => [name, process.env[name]]))
      Object.assign(process.env, variables)
      try {
        await act()
      } finally {
        for (const [name, value] of before) {
          if (value === undefined) delete process.env[name]
          else process.env[name] = value
        }
      }
    }

    it('PG* variables of the process change nothing', async () => {
      const foreign = {
        PGPASSWORD: 'foreign-Password-0123456789',
        PGUSER: 'postgres',
        PGHOST: '127.0.0.2',
        PGPORT: '1',
        PGDATABASE: 'missing',
        PGOPTIONS: '-c role=app_owner -c default_transaction_read_only=on',
        PGSSLMODE: 'disable',
        PGSSLNEGOTIATION: 'direct',
        PGSSLROOTCERT: '/nowhere',
        PGAPPNAME: 'foreign',
        PGCLIENTENCODING: 'LATIN1',
        PGCONNECT_TIMEOUT: '1',
        PGBINARY: '1',
        PGPASSFILE: '/nowhere',
      }
      const world = await open('ambient', { ca: authority.ca })
      const plain = await open('ambient_plain', { value: { sslmode: 'disable' } })
      await freshLog(suite.server)
      await withVariables(foreign, async () => {
        assert.equal((await world.rotate()).outcome, 'published')
        assert.equal((await plain.rotate()).outcome, 'published')
      })
      const attempts = await attemptsOn(suite.server)
      assert.deepEqual(
        attempts.map(({ user, tls }) => [user, tls]),
        [
          ['ambient', true],
          ['ambient', true],
          ['ambient_plain', false],
          ['ambient_plain', false],
        ],
      )
      assert.ok(attempts.every(({ lines }) => lines.some((line) => line.includes('application_name=keyturn'))))
      for (const one of [world, plain]) {
        const { username = '', password = '' } = await one.current()
        assert.ok(await logsIn(suite.server, username, password))
      }
    })

    it('PGREPLICATION, which the driver reads too, changes nothing', async () => {
      const world = await open('ambient_walsender', { ca: authority.ca })
      await withVariables({ PGREPLICATION: 'database' }, async () => {
        assert.equal((await world.rotate()).outcome, 'published')
      })
    })
  },
  () => ({ tls: good }),
)
