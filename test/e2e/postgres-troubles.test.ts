import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { it } from 'node:test'
import pg from 'pg'
import { assertClean, printed } from '../harness/pg-leaks.js'
import { countsOn, freshLog, settledLog } from '../harness/pg-log.js'
import { createRole, onServers, pendingOf, published } from '../harness/pg-suite.js'
import { HostileServer } from '../harness/pg-wire.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { firstPassword, PostgresWorld, type PostgresWorldOptions } from '../harness/postgres-world.js'

interface Expected {
  readonly code: string
  readonly field?: string
  readonly message: RegExp
  readonly next: RegExp
  /** Refused logins in the server's log; default none. */
  readonly refused?: number
}

onServers(
  'troubles at the server',
  (suite) => {
    const open = async (username: string, options: PostgresWorldOptions = {}, role = '') => {
      await createRole(suite.server, username, firstPassword, role)
      return PostgresWorld.open(suite.server, { ...options, value: { username, ...options.value } })
    }
    /** It fails as it should, and neither the store nor the account changes. */
    const fails = async (world: PostgresWorld, expected: Expected) => {
      const before = published(await world.store.describe(world.ref))
      await freshLog(suite.server)
      await assert.rejects(world.rotate(), (cause: Error & { code?: string; field?: string; next?: string }) => {
        assert.deepEqual({ code: cause.code, field: cause.field }, { code: expected.code, field: expected.field }, cause.message)
        assert.match(cause.message, expected.message)
        assert.match(cause.next ?? '', expected.next)
        assertClean([firstPassword], printed(cause), 'the error')
        return true
      })
      assert.equal((await countsOn(suite.server)).refused, expected.refused ?? 0)
      const state = await world.store.describe(world.ref)
      assert.deepEqual(published(state), before)
      assert.equal(state.journal?.code, undefined, 'not stuck')
      assert.ok((state.journal?.rotation?.leaseUntil ?? 0) <= world.env.now(), 'the lease was given back')
    }

    it('NOLOGIN: the password is proven, the role may not log in', async () => {
      const world = await open('nologin')
      await asSuper(suite.server, 'alter role nologin nologin')
      await fails(world, { code: 'target_denied', message: /nologin.*28000/, next: /LOGIN/ })
      await asSuper(suite.server, 'alter role nologin login')
      assert.ok(await logsIn(suite.server, 'nologin', firstPassword))
      assert.equal((await world.rotate()).outcome, 'published')
    })

    it('NOLOGIN with the wrong password is a refused login', async () => {
      const world = await open('nologin_wrong', { value: { password: 'wrong-Password-0123456789-abcdef' } })
      await asSuper(suite.server, 'alter role nologin_wrong nologin')
      await assert.rejects(world.rotate(), (cause: Error & { code?: string }) => cause.code === 'stuck')
    })

    let advice = ''
    it('connection limit reached: later, nothing changed; then it goes on', async () => {
      const { server } = suite
      const world = await open('limited', {}, 'connection limit 1')
      const busy = new pg.Client({
        host: '127.0.0.1',
        port: server.port,
        user: 'limited',
        password: firstPassword,
        database: 'postgres',
        ssl: false,
      })
      await busy.connect()
      await fails(world, { code: 'target_unreachable', message: /too many connections for role "limited".*53300/, next: /again/ })
      await assert.rejects(world.rotate(), (cause: Error & { next?: string }) => {
        advice = cause.next ?? ''
        return true
      })
      await busy.end()
      const staged = await pendingOf(world)
      assert.equal((await world.rotate()).outcome, 'published')
      assert.equal((await world.current()).password, staged?.password)
    })

    it('connection limit reached: the next step speaks of connections, not of host, port and firewall', () => {
      assert.match(advice, /connection/i)
    })

    it('connection limit of one: the rotation itself needs no more', async () => {
      const world = await open('one_at_a_time', {}, 'connection limit 1')
      assert.equal((await world.rotate()).outcome, 'published')
    })

    it('wrong database', async () =>
      fails(await open('wrong_db', { value: { dbname: 'missing' } }), {
        code: 'bad_value',
        field: 'dbname',
        message: /"missing" does not exist/,
        next: /dbname/,
      }))

    it('no CONNECT on the database', async () => {
      await asSuper(suite.server, 'create database closed')
      await asSuper(suite.server, 'revoke connect on database closed from public')
      await fails(await open('no_connect', { value: { dbname: 'closed' } }), {
        code: 'target_denied',
        message: /closed.*42501/,
        next: /CONNECT/,
      })
    })

    it('a closed port', async () => {
      const closed = createServer().listen(0, '127.0.0.1')
      await new Promise((resolve) => closed.once('listening', resolve))
      const address = closed.address()
      await new Promise((resolve) => closed.close(resolve))
      const port = typeof address === 'object' && address !== null ? address.port : 1
      await fails(await open('closed_port', { value: { port } }), {
        code: 'target_unreachable',
        field: 'port',
        message: /ECONNREFUSED/,
        next: /port/,
      })
    })

    it('an unknown host', async () =>
      fails(await open('unknown_host', { value: { host: 'no-such-host.invalid' } }), {
        code: 'target_unreachable',
        field: 'host',
        message: /no-such-host\.invalid/,
        next: /host/,
      }))

    it('several hosts, or a socket folder', async () => {
      for (const [index, host] of ['127.0.0.1,127.0.0.2', '/var/run/postgresql'].entries())
        await fails(await open(`host_${index}`, { value: { host } }), {
          code: 'bad_value',
          field: 'host',
          message: /host/,
          next: /endpoint/,
        })
    })

    it('no line in pg_hba.conf', async () =>
      fails(await open('no_line'), { code: 'target_denied', message: /no pg_hba\.conf entry|rejects connection/, next: /pg_hba\.conf/ }))

    it('a server that hangs up at once', async () => {
      const rude = await HostileServer.open((_message, _count, socket) => void socket.destroy())
      try {
        await fails(await open('hung_up', { value: { port: rude.port } }), { code: 'target_unreachable', message: /hung_up/, next: /host/ })
      } finally {
        await rude.close()
      }
    })

    it('an expired VALID UNTIL looks like a wrong password, and is tried once a credential', async () => {
      const world = await open('expired')
      await asSuper(suite.server, "alter role expired valid until '2001-01-01'")
      await freshLog(suite.server)
      await assert.rejects(world.rotate(), (cause: Error & { code?: string }) => cause.code === 'stuck')
      assert.equal((await countsOn(suite.server)).refused, 2)
    })

    it('an administrator without the right: the GRANT that helps is named', async () => {
      const world = await open('no_right', { policy: { 'keyturn-admin': 'memory:admin' } })
      await asSuper(suite.server, 'alter role keyturn_admin nocreaterole')
      try {
        await fails(world, { code: 'target_denied', message: /permission denied/, next: /CREATEROLE.*ADMIN OPTION/ })
      } finally {
        await asSuper(suite.server, 'alter role keyturn_admin createrole')
      }
      assert.ok(await logsIn(suite.server, 'no_right', firstPassword))
    })

    it('a role with default_transaction_read_only=on still rotates, by itself and in a pair', async () => {
      const { server } = suite
      const world = await open('read_only')
      await asSuper(server, 'alter role read_only set default_transaction_read_only = on')
      assert.equal((await world.rotate()).outcome, 'published')
      const policy = { 'keyturn-strategy': 'alternate', 'keyturn-pair': 'ro_a ro_b', 'keyturn-admin': 'memory:admin' }
      const pair = await open('ro_a', { policy })
      await createRole(server, 'ro_b', firstPassword)
      await asSuper(server, 'grant ro_a to ro_b')
      for (const role of ['ro_a', 'ro_b', 'keyturn_admin'])
        await asSuper(server, `alter role ${role} set default_transaction_read_only = on`)
      try {
        assert.equal((await pair.rotate()).outcome, 'published')
      } finally {
        await asSuper(server, 'alter role keyturn_admin reset default_transaction_read_only')
      }
    })

    it('settings of the role that could stand in the way do not', async () => {
      const world = await open('odd_settings')
      const settings = [
        "statement_timeout = '1ms'",
        "lock_timeout = '1ms'",
        'standard_conforming_strings = off',
        "search_path = ''",
        'row_security = off',
        "default_transaction_isolation = 'serializable'",
        "client_encoding = 'LATIN1'",
        'quote_all_identifiers = on',
        "password_encryption = 'md5'",
        "application_name = 'other'",
      ]
      for (const setting of settings) await asSuper(suite.server, `alter role odd_settings set ${setting}`)
      assert.equal((await world.rotate()).outcome, 'published')
      const [row] = await asSuper<{ rolpassword: string }>(suite.server, "select rolpassword from pg_authid where rolname = 'odd_settings'")
      assert.match(row?.rolpassword ?? '', /^SCRAM-SHA-256\$/)
    })

    it('passwordcheck is loaded and takes the verifier', async () => {
      const [row] = await asSuper<{ loaded: string }>(suite.server, "select current_setting('shared_preload_libraries') as loaded")
      assert.equal(row?.loaded, 'passwordcheck')
      await assert.rejects(asSuper(suite.server, "create role weak login password 'weak'"), /too short/)
      const world = await open('checked')
      await freshLog(suite.server)
      assert.equal((await world.rotate()).outcome, 'published')
      assert.ok(!(await settledLog(suite.server)).includes('ERROR'))
    })
  },
  () => ({
    settings: { shared_preload_libraries: 'passwordcheck' },
    hba: ['host all no_line 127.0.0.1/32 reject', 'host all all 127.0.0.1/32 scram-sha-256'],
  }),
)
