import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { Authority } from '../harness/pg-certificates.js'
import { attemptsOn, countsOn, freshLog } from '../harness/pg-log.js'
import { createRole, onServers } from '../harness/pg-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import type { PostgresServer } from '../harness/postgres-server.js'
import { adminPassword, firstPassword, PostgresWorld } from '../harness/postgres-world.js'

/** Every printable ASCII character. */
const awkward = String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 32 + index))
const authority = new Authority()
const certificate = authority.issue(['IP:127.0.0.1', 'DNS:localhost'])

const verifierOf = async (server: PostgresServer, role: string): Promise<string> =>
  (await asSuper<{ rolpassword: string | null }>(server, 'select rolpassword from pg_authid where rolname = $1', [role]))[0]?.rolpassword ??
  ''

onServers(
  'shapes of a value',
  (suite) => {
    const make = (name: string, password = firstPassword) => createRole(suite.server, name, password)

    it('a URL whose user and password hold every awkward character', async () => {
      const { server } = suite
      const user = '"%@:/?#[]!$&\'()*+,;=é \\'
      await make(user, awkward)
      const encoded = (text: string) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
      const tail = `127.0.0.1:${server.port}/postgres?sslmode=disable&application_name=web%20app#frag`
      const world = await PostgresWorld.open(server, { text: `postgresql://${encoded(user)}:${encoded(awkward)}@${tail}\n` })
      await freshLog(server)
      await world.rotate()
      assert.deepEqual(await countsOn(server), { connections: 2, accepted: 2, refused: 0 })
      const text = await world.currentText()
      assert.ok(text.startsWith('postgresql://') && text.endsWith(`@${tail}\n`), 'all but the login stays')
      const url = new URL(text.trim())
      assert.equal(decodeURIComponent(url.username), user)
      assert.ok(await logsIn(server, user, decodeURIComponent(url.password)))
    })

    it('a URL with blanks before it is still a URL, as JSON with blanks before it is JSON', async () => {
      const { server } = suite
      await make('blank_1')
      for (const text of [
        `\n postgres://blank_1:PASSWORD@127.0.0.1:${server.port}/postgres?sslmode=disable`,
        `\n ${JSON.stringify({ host: '127.0.0.1', port: server.port, username: 'blank_1', password: 'PASSWORD', ssl: false })}`,
      ]) {
        await asSuper(server, `alter role blank_1 password '${firstPassword}'`)
        const world = await PostgresWorld.open(server, { text: text.replace('PASSWORD', firstPassword) })
        assert.equal((await world.rotate()).outcome, 'published')
        assert.ok((await world.currentText()).startsWith('\n '))
      }
    })

    it('JSON: derived URLs, doubled names and everything else in its place', async () => {
      const { server } = suite
      await make('json_1', awkward)
      const url = (scheme: string, query: string) =>
        `${scheme}://json_1:${encodeURIComponent(awkward)}@127.0.0.1:${server.port}/postgres?${query}`
      const fields = {
        engine: 'postgres',
        host: '127.0.0.1',
        username: 'json_1',
        DB_USER: 'json_1',
        password: awkward,
        DB_PASSWORD: awkward,
        port: String(server.port),
        dbname: 'postgres',
        ssl: 'false',
        uri: url('postgres', 'sslmode=disable'),
        DATABASE_URL: url('postgresql', 'schema=public&pool=5'),
        other_url: `postgres://reader:reader-password-0123456789@127.0.0.1:${server.port}/postgres`,
        big: 1,
        notes: ['é', null, { deep: true }],
      }
      const text = JSON.stringify(fields, null, 4).replace('"big": 1', '"big": 12345678901234567890.10')
      const world = await PostgresWorld.open(server, { text })
      await world.rotate()
      const now = await world.current()
      const password = now.password ?? ''
      assert.ok(await logsIn(server, 'json_1', password))
      assert.equal(now.DB_PASSWORD, password)
      const swapped = (value: string) => value.replace(/:\/\/.*@/, `://json_1:${password}@`)
      assert.deepEqual(
        { ...now, big: 1 },
        { ...fields, password, DB_PASSWORD: password, uri: swapped(fields.uri), DATABASE_URL: swapped(fields.DATABASE_URL) },
      )
      assert.ok((await world.currentText()).includes('12345678901234567890.10'))
      assert.deepEqual(Object.keys(now), Object.keys(fields))
    })

    it("every spelling that the vendor's templates take rotates, and stays as it is", async () => {
      const { server } = suite
      await make('spelled')
      const port = String(server.port)
      for (const fields of [
        { port, ssl: 'FALSE', dbname: null },
        { port: ` ${port}\n`, ssl: 'False', dbname: '' },
        { port: `+${port}`, ssl: 'TRUE', ca: authority.ca },
        { port: `0${port}`, ssl: 1, dbname: 'postgres', ca: authority.ca },
        { port: server.port, ssl: null, sslmode: '', ca: authority.ca },
      ]) {
        await asSuper(server, `alter role spelled password '${firstPassword}'`)
        const value = { engine: 'postgres', host: '127.0.0.1', username: 'spelled', password: firstPassword, ...fields }
        const world = await PostgresWorld.open(server, { text: JSON.stringify(value) })
        assert.equal((await world.rotate()).outcome, 'published')
        const { password } = await world.current()
        assert.ok(await logsIn(server, 'spelled', password ?? ''))
        assert.equal(await world.currentText(), JSON.stringify({ ...value, password }))
      }
    })

    it('JSON with nothing but a URL in it', async () => {
      const { server } = suite
      await make('json_2')
      const text = JSON.stringify({ DATABASE_URL: `postgres://json_2:${firstPassword}@127.0.0.1:${server.port}/postgres?sslmode=disable` })
      const world = await PostgresWorld.open(server, { text })
      await world.rotate()
      const url = new URL((await world.current()).DATABASE_URL ?? '')
      assert.ok(await logsIn(server, 'json_2', decodeURIComponent(url.password)))
    })

    it('a password in a form that cannot be rewritten: refused before any connection', async () => {
      const { server } = suite
      await make('json_3')
      const dsn = `host=127.0.0.1 user=json_3 password=${firstPassword}`
      const world = await PostgresWorld.open(server, { value: { username: 'json_3', dsn } })
      await freshLog(server)
      await assert.rejects(world.rotate(), (cause: Error & { code?: string; field?: string }) => {
        assert.deepEqual({ code: cause.code, field: cause.field }, { code: 'bad_value', field: 'dsn' })
        return !cause.message.includes(firstPassword)
      })
      assert.equal((await countsOn(server)).connections, 0)
    })

    const rawUrl = (user: string, port: number, password: string) =>
      `postgres://${user}:${password}@127.0.0.1:${port}/postgres?sslmode=disable`

    it('a URL with a raw @ in its password: refused before any connection; the encoded one can be put, and rotates', async () => {
      const { server } = suite
      const password = `p@ss/${firstPassword}`
      await make('raw_1', password)
      const world = await PostgresWorld.open(server, { text: rawUrl('raw_1', server.port, password) })
      await freshLog(server)
      await assert.rejects(world.rotate(), { code: 'bad_value', field: 'value' })
      assert.equal((await countsOn(server)).connections, 0)
      const right = new SecretText(rawUrl('raw_1', server.port, encodeURIComponent(password)))
      assert.equal((await world.rotate({ kind: 'put' }, right)).outcome, 'published')
      world.skewMs += 7_200_000
      assert.equal((await world.rotate()).outcome, 'published')
      assert.ok(await logsIn(server, 'raw_1', decodeURIComponent(new URL(await world.currentText()).password)))
    })

    it('a rotation that is open on such a URL is finished where the server has taken the new password, and refused where it has not', async () => {
      const { server } = suite
      const password = `p@ss/${firstPassword}`
      const next = 'next-Password-0123456789-abcdef'
      const token = 'token-0123456789-0123456789-abcdef' as Token
      for (const isSet of [false, true]) {
        const user = `raw_open_${isSet}`
        await make(user, password)
        const world = await PostgresWorld.open(server, { text: rawUrl(user, server.port, password) })
        const claim = await world.store.claim(await world.store.describe(world.ref), { token, kind: 'rotate', holder: 'older', leaseMs: 0 })
        await world.store.stage(claim, new SecretText(rawUrl(user, server.port, next)))
        if (isSet) await asSuper(server, `alter role ${user} password '${next}'`)
        if (!isSet) await assert.rejects(world.rotate({ kind: 'resume' }), { code: 'bad_value', field: 'value' })
        else assert.equal((await world.rotate({ kind: 'resume' })).outcome, 'published')
        assert.ok(await logsIn(server, user, isSet ? next : password))
      }
    })

    it('alternate in a URL: user and password change, all else stays', async () => {
      const { server } = suite
      await make('url_a')
      await make('url_b')
      await asSuper(server, 'grant url_a to url_b')
      const policy = { 'keyturn-strategy': 'alternate', 'keyturn-pair': 'url_a url_b', 'keyturn-admin': 'memory:admin' }
      const tail = `127.0.0.1:${server.port}/postgres?sslmode=disable`
      const world = await PostgresWorld.open(server, { policy, text: `postgres://url_a:${firstPassword}@${tail}` })
      await world.rotate()
      const text = await world.currentText()
      const [, password = ''] = /^postgres:\/\/url_b:([A-Za-z0-9_-]{32})@(.*)$/.exec(text) ?? []
      assert.ok(text.endsWith(tail))
      assert.ok(await logsIn(server, 'url_b', password))
      assert.ok(await logsIn(server, 'url_a', firstPassword))
    })

    it('a bare password with keyturn-at, with and without an administrator', async () => {
      const { server } = suite
      await make('bare_1')
      const at = { 'keyturn-at': `bare_1@127.0.0.1:${server.port}/postgres` }
      let text = firstPassword
      for (const policy of [at, { ...at, 'keyturn-admin': 'memory:admin' }]) {
        const world = await PostgresWorld.open(server, { policy, text, ca: authority.ca })
        await freshLog(server)
        await world.rotate()
        assert.equal((await attemptsOn(server)).length, 2)
        text = await world.currentText()
        assert.match(text, /^[A-Za-z][A-Za-z0-9_-]{31}$/)
        assert.ok(await logsIn(server, 'bare_1', text))
      }
    })

    it('a bare password with a trailing line break is the password with the line break', async () => {
      const { server } = suite
      await make('bare_2')
      const policy = { 'keyturn-at': `bare_2@127.0.0.1:${server.port}/postgres` }
      const world = await PostgresWorld.open(server, { policy, text: `${firstPassword}\n`, ca: authority.ca })
      await assert.rejects(world.rotate())
      assert.ok(await logsIn(server, 'bare_2', firstPassword))
    })

    const wrong: readonly (readonly [what: string, field: string, value: Readonly<Record<string, unknown>>])[] = [
      ['an empty password', 'password', { password: '' }],
      ['a password that is a number', 'password', { password: 12345678 }],
      ['no host', 'host', { host: undefined }],
      ['a port that is a word', 'port', { port: 'five' }],
      ['port 0', 'port', { port: 0 }],
      ['ssl that is a word, and sslmode disable', 'ssl', { ssl: 'require' }],
      ['ssl and sslmode that contradict', 'sslmode', { ssl: true, sslmode: 'disable' }],
      ['ssl off and sslmode verify-full', 'ssl', { ssl: 'false', sslmode: 'verify-full' }],
      ['an unknown sslmode', 'sslmode', { sslmode: 'no-verify' }],
      ['a CA that is a path', 'ca', { sslmode: undefined, ca: '/etc/ssl/ca.pem' }],
      ['a NUL in the user', 'username', { username: 'a\0b' }],
    ]
    for (const [what, field, value] of wrong) {
      it(`${what}: bad_value with the field, before any connection`, async () => {
        const world = await PostgresWorld.open(suite.server, { value })
        await freshLog(suite.server)
        await assert.rejects(world.rotate(), (cause: Error & { code?: string; field?: string }) => {
          assert.deepEqual({ code: cause.code, field: cause.field }, { code: 'bad_value', field })
          return true
        })
        assert.equal((await countsOn(suite.server)).connections, 0)
      })
    }

    it("the rounds of the verifier are the server's own setting, up to what the driver takes", async () => {
      const { server } = suite
      await make('rounds')
      const world = await PostgresWorld.open(server, { value: { username: 'rounds' } })
      const known = suite.major >= 16
      for (const [setting, rounds] of [
        ['20000', 20_000],
        ['250000', 100_000],
        ['1', 4096],
      ] as const) {
        if (known) await asSuper(server, `alter role rounds set scram_iterations = ${setting}`)
        world.skewMs += 1000
        assert.equal((await world.rotate()).outcome, 'published')
        const verifier = await verifierOf(server, 'rounds')
        assert.match(
          verifier,
          new RegExp(`^SCRAM-SHA-256\\$${known ? rounds : 4096}:[A-Za-z0-9+/]{22}==\\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$`),
        )
        assert.ok(await logsIn(server, 'rounds', (await world.current()).password ?? ''))
      }
    })

    it('each verifier has a salt of its own, and moves a role from MD5 to SCRAM', async () => {
      const { server } = suite
      await make('salted')
      await asSuper(server, `set password_encryption = 'md5'; alter role salted password '${firstPassword}'`)
      assert.match(await verifierOf(server, 'salted'), /^md5/)
      const policy = { 'keyturn-admin': 'memory:admin' }
      const world = await PostgresWorld.open(server, { policy, value: { username: 'salted' }, adminValue: { password: adminPassword } })
      const seen = new Set<string>()
      for (let turn = 0; turn < 3; turn++) {
        world.skewMs += 1000
        await world.rotate()
        seen.add((await verifierOf(server, 'salted')).split('$')[1] ?? '')
      }
      assert.equal(seen.size, 3)
    })
  },
  () => ({ tls: certificate }),
)
