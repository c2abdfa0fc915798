import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { Context } from '../../shared/core/ports/rotator.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { loginError } from '../../shared/rotators/postgres/errors.js'
import { create } from '../../shared/rotators/postgres.js'
import { FakeEnv } from '../harness/fake-env.js'

/** An ErrorResponse: https://www.postgresql.org/docs/current/protocol-message-formats.html */
function errorResponse(code: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0Msomething new\0\0`)
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([head, fields])
}

describe('a login that fails in a way that nobody knows', () => {
  let server: Server
  let answer = ''
  let logins = 0
  before(async () => {
    server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        logins++
        socket.end(errorResponse(answer))
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
  })
  after(() => server?.close())

  const value = () => {
    const { port } = server.address() as AddressInfo
    const fields = { engine: 'postgres', host: '127.0.0.1', port, username: 'app', password: 'a-0123456789', dbname: 'db', ssl: false }
    return create().parse(new SecretText(JSON.stringify(fields)), {})
  }
  const context = () => ({ env: new FakeEnv(), policy: {}, live: [] }) as unknown as Context<ReturnType<typeof value>>

  for (const code of ['XX999', '58030', '0A000']) {
    it(`${code} is not a refusal: no value is given up for it, and the same login may be tried again`, async () => {
      answer = code
      const rotator = create()
      const same = context()
      for (const from of [logins, logins + 1]) {
        await assert.rejects(rotator.accepted(same, value()), (cause: unknown) => codeOf(cause) === 'internal')
        assert.equal(logins, from + 1)
      }
      await assert.rejects(rotator.verify(same, value()), (cause: unknown) => codeOf(cause) === 'internal')
    })
  }

  it('28P01 is one: it answers no, and is asked once', async () => {
    answer = '28P01'
    const same = context()
    const from = logins
    assert.deepEqual([await create().accepted(same, value()), await create().accepted(same, value())], [false, false])
    assert.equal(logins, from + 1)
  })

  it('a server that never answers: what was waited for, and how long', async (t) => {
    const silent = createServer((socket) => socket.on('error', () => {}))
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    t.after(() => silent.close())
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const asked = once(silent, 'connection')
    const login = assert.rejects(
      create().verify(context(), { ...value(), port: (silent.address() as AddressInfo).port }),
      (cause: Error) => {
        assert.match(cause.message, /: no connection within 10 s \(timeout expired\)\.$/)
        return codeOf(cause) === 'target_unreachable'
      },
    )
    await asked
    t.mock.timers.tick(10_000)
    await login
  })

  it('an error without a code is not one, whatever its text says', () => {
    for (const text of ['something new', 'password authentication failed', ''])
      assert.equal(loginError(new Error(text), 'app', 'host', { proven: false, forged: false }).code, 'internal', text)
  })
})
