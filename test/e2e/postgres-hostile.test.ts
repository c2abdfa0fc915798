import assert from 'node:assert/strict'
import { it } from 'node:test'
import { direct } from '../harness/pg-direct.js'
import { assertClean } from '../harness/pg-leaks.js'
import { countsOn, freshLog, settledLog } from '../harness/pg-log.js'
import { createRole, edgeMajors, onServers, pendingOf, published } from '../harness/pg-suite.js'
import { HostileServer, nonceIn, type Script, wire } from '../harness/pg-wire.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { firstPassword, PostgresWorld } from '../harness/postgres-world.js'

interface Attack {
  readonly name: string
  readonly sslmode: 'verify-full' | 'disable'
  readonly code: string
  readonly script: Script
  /** How much the client may say besides the first message. */
  readonly messagesMax: number
}
const salt = Buffer.alloc(16, 7).toString('base64')
/** A server that knows nothing of the password, and goes through SCRAM all the same. */
const scram =
  (iterations: number, end: (message: Buffer) => Buffer): Script =>
  (message, count, socket) => {
    if (count === 0) socket.write(wire.sasl)
    if (count === 1) socket.write(wire.saslContinue(`r=${nonceIn(message)}hostile,s=${salt},i=${iterations}`))
    if (count === 2) socket.write(Buffer.concat([end(message), wire.ok, wire.ready]))
  }
const wrongSignature = `v=${Buffer.alloc(32, 9).toString('base64')}`
const first =
  (answer: Buffer | string): Script =>
  (_message, count, socket) =>
    void (count === 0 && socket.write(answer))

const attacks: readonly Attack[] = [
  { name: 'says that it has no TLS', sslmode: 'verify-full', code: 'target_tls', script: first('N'), messagesMax: 0 },
  { name: 'says neither yes nor no to TLS', sslmode: 'verify-full', code: 'target_tls', script: first('E'), messagesMax: 0 },
  {
    name: 'says yes to TLS and lets in, both in one packet',
    sslmode: 'verify-full',
    code: 'target_tls',
    script: first(Buffer.concat([Buffer.from('S'), wire.ok, wire.ready])),
    messagesMax: 0,
  },
  {
    name: 'says yes to TLS and then talks nonsense',
    sslmode: 'verify-full',
    code: 'target_tls',
    script: (_message, count, socket) => void (count === 0 ? socket.write('S') : socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')),
    messagesMax: 1, // the hello of TLS
  },
  { name: 'asks for clear text', sslmode: 'disable', code: 'password_not_checked', script: first(wire.cleartext), messagesMax: 0 },
  { name: 'asks for an MD5 hash', sslmode: 'disable', code: 'password_not_checked', script: first(wire.md5), messagesMax: 0 },
  {
    name: 'asks for clear text after it began SCRAM',
    sslmode: 'disable',
    code: 'password_not_checked',
    script: (_message, count, socket) => void socket.write(count === 0 ? wire.sasl : wire.cleartext),
    messagesMax: 1,
  },
  {
    name: 'lets in without asking',
    sslmode: 'disable',
    code: 'password_not_checked',
    script: first(Buffer.concat([wire.ok, wire.ready])),
    messagesMax: 1, // the goodbye
  },
  {
    name: 'lets in after half a SCRAM, without its signature',
    sslmode: 'disable',
    code: 'password_not_checked',
    script: scram(4096, () => Buffer.alloc(0)),
    messagesMax: 3,
  },
]

onServers(
  'a hostile server',
  (suite) => {
    for (const { name, sslmode, code, script, messagesMax } of attacks) {
      it(`${name}: ${code}, and it learns nothing`, async () => {
        let messages = 0
        const hostile = await HostileServer.open((message, count, socket) => {
          messages = Math.max(messages, count)
          script(message, count, socket)
        })
        try {
          const world = await PostgresWorld.open(suite.server, { value: { port: hostile.port, sslmode } })
          const before = published(await world.store.describe(world.ref))
          await assert.rejects(world.rotate(), (cause: Error & { code?: string; next?: string }) => {
            assert.equal(cause.code, code, cause.message)
            return (cause.next ?? '').length > 10
          })
          assert.equal(hostile.connections, 1)
          assert.ok(messages <= messagesMax, `it was told ${messages} more messages`)
          const pending = (await pendingOf(world))?.password ?? ''
          assertClean([firstPassword, pending], hostile.received, 'what it received')
          assert.ok(!/ALTER|SCRAM-SHA-256\$/i.test(hostile.received))
          assert.deepEqual(published(await world.store.describe(world.ref)), before)
          assert.equal((await world.store.describe(world.ref)).journal?.code, undefined)
        } finally {
          await hostile.close()
        }
      })
    }

    /** An error that a login dies with after the password was found right, next to a proof that is none. */
    const late = ['28000', '53300', '3D000'].flatMap((code) => [wire.error(code), wire.saslFinal(wrongSignature)])
    const excuses: readonly (readonly [name: string, script: Script])[] = [
      ['an excuse and then the end of SCRAM', first(Buffer.concat(late))],
      ['half a SCRAM, an excuse and then the end of it', scram(4096, () => Buffer.concat(late))],
      ['a wrong signature and then an excuse', scram(4096, () => Buffer.concat([...late].reverse()))],
      ['half a SCRAM and then an excuse', scram(4096, () => wire.error('28000'))],
      ['being let in and then the end of SCRAM', first(Buffer.concat([wire.ok, wire.ready, wire.saslFinal(wrongSignature)]))],
      ['being let in by half and then the end of SCRAM', first(Buffer.concat([wire.ok, wire.saslFinal(wrongSignature), wire.ready]))],
      ['an excuse, and nothing else', first(wire.error('28000'))],
    ]
    const forgeries: readonly (readonly [name: string, script: Script])[] = [
      ['a wrong signature at the end of SCRAM', scram(4096, () => wire.saslFinal(wrongSignature))],
      ['an empty signature at the end of SCRAM', scram(4096, () => wire.saslFinal('v='))],
      ['an error in the place of the signature', scram(4096, () => wire.saslFinal('e=other-error'))],
      ['the end of SCRAM without its beginning', first(Buffer.concat([wire.saslFinal(wrongSignature), wire.ok, wire.ready]))],
    ]
    for (const [name, script] of [...forgeries, ...excuses]) {
      it(`${name} proves nothing: not accepted, nothing published, nothing thrown away`, async () => {
        const hostile = await HostileServer.open(script)
        try {
          const world = await PostgresWorld.open(suite.server, { value: { port: hostile.port } })
          const before = published(await world.store.describe(world.ref))
          await assert.rejects(world.rotate())
          assert.deepEqual(published(await world.store.describe(world.ref)), before)
          assert.ok(await pendingOf(world))
          assertClean([firstPassword], hostile.received, 'what it received')
          const { rotator, context } = await direct(world)
          const accepted = await rotator.accepted(context, context.current).catch(() => 'no answer')
          assert.notEqual(accepted, true, 'a forged end of SCRAM was taken for a proof of the password')
        } finally {
          await hostile.close()
        }
      })

      if (excuses.some(([excuse]) => excuse === name)) continue
      it(`${name} is reported as password_not_checked`, async () => {
        const hostile = await HostileServer.open(script)
        try {
          const world = await PostgresWorld.open(suite.server, { value: { port: hostile.port } })
          await assert.rejects(world.rotate(), (cause: Error & { code?: string }) => {
            assert.equal(cause.code, 'password_not_checked', cause.message)
            return true
          })
        } finally {
          await hostile.close()
        }
      })
    }

    it('a nonce that is not ours, or 200,000 rounds of hashing: given up, nothing learned', async () => {
      const scripts = [
        scram(200_000, () => wire.saslFinal(wrongSignature)),
        ((message, count, socket) => {
          if (count === 0) socket.write(wire.sasl)
          if (count === 1) socket.write(wire.saslContinue(`r=foreign,s=${salt},i=4096`))
          void message
        }) satisfies Script,
      ]
      for (const script of scripts) {
        const hostile = await HostileServer.open(script)
        try {
          const world = await PostgresWorld.open(suite.server, { value: { port: hostile.port } })
          const before = published(await world.store.describe(world.ref))
          await assert.rejects(world.rotate())
          assertClean([firstPassword], hostile.received, 'what it received')
          assert.deepEqual(published(await world.store.describe(world.ref)), before)
        } finally {
          await hostile.close()
        }
      }
    })
  },
  undefined,
  edgeMajors,
)

const lines = ['trust', 'password', 'md5'].map((method) => `host all lax_${method},lax_${method}_idle 127.0.0.1/32 ${method}`)

onServers(
  'a server that does not check by SCRAM',
  (suite) => {
    for (const [method, why] of [
      ['trust', 'without checking'],
      ['password', 'in clear text'],
    ] as const) {
      it(`a ${method} line in pg_hba.conf: nothing is set, nothing published`, async () => {
        const { server } = suite
        const username = `lax_${method}`
        await createRole(server, username, firstPassword)
        const world = await PostgresWorld.open(server, { value: { username } })
        const before = published(await world.store.describe(world.ref))
        await freshLog(server)
        await assert.rejects(world.rotate(), (cause: Error & { code?: string; next?: string }) => {
          assert.equal(cause.code, 'password_not_checked')
          assert.ok(cause.message.includes(why), cause.message)
          return (cause.next ?? '').includes('pg_hba.conf')
        })
        assert.ok(!(await settledLog(server)).includes('ALTER ROLE'))
        assert.equal((await countsOn(server)).connections, 1)
        assert.deepEqual(published(await world.store.describe(world.ref)), before)
      })
    }

    it('a trust line for the idle login of a pair: set, but not published', async () => {
      const { server } = suite
      await createRole(server, 'lax_active', firstPassword)
      await createRole(server, 'lax_trust_idle', firstPassword)
      await asSuper(server, 'grant lax_active to lax_trust_idle')
      const policy = { 'keyturn-admin': 'memory:admin', 'keyturn-strategy': 'alternate', 'keyturn-pair': 'lax_active lax_trust_idle' }
      const world = await PostgresWorld.open(server, { policy, value: { username: 'lax_active' } })
      const before = published(await world.store.describe(world.ref))
      await assert.rejects(world.rotate(), (cause: Error & { code?: string }) => cause.code === 'password_not_checked')
      assert.deepEqual(published(await world.store.describe(world.ref)), before)
      assert.ok(await logsIn(server, 'lax_active', firstPassword))
    })

    it('an md5 line in pg_hba.conf with a SCRAM password: SCRAM is spoken, and it rotates', async () => {
      const { server } = suite
      await createRole(server, 'lax_md5', firstPassword)
      const world = await PostgresWorld.open(server, { value: { username: 'lax_md5' } })
      assert.equal((await world.rotate()).outcome, 'published')
    })
  },
  () => ({ hba: [...lines, 'host all all 127.0.0.1/32 scram-sha-256'], settings: { log_statement: 'all' } }),
)
