import assert from 'node:assert/strict'
import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { describe, it } from 'node:test'
import { format, inspect } from 'node:util'
import { serialize } from 'node:v8'
import { RotationError } from '../../shared/core/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'

const canary = 'p"%\'\\ü-\u{1f511}x'
const secret = new SecretText(canary)
const hidden = (text: string): void => {
  for (const form of [canary, encodeURIComponent(canary), JSON.stringify(canary).slice(1, -1), inspect(canary).slice(1, -1)])
    assert.ok(!text.includes(form), text)
}

describe('SecretText', () => {
  it('is [secret] as a text', () => {
    const added = `${'x'}${secret}`
    assert.deepEqual(
      [`${secret}`, String(secret), secret.toString(), [secret].join(), added],
      Array(4).fill('[secret]').concat('x[secret]'),
    )
    assert.ok(Number.isNaN(Number(secret)))
  })

  it('is [secret] in JSON, at any depth', () => {
    assert.equal(JSON.stringify(secret), '"[secret]"')
    assert.equal(JSON.stringify({ a: [{ secret }] }), '{"a":[{"secret":"[secret]"}]}')
  })

  it('is [secret] when inspected: nested, hidden, uncoloured, without custom inspection, behind a proxy', () => {
    const nested = { a: [secret], map: new Map([[secret, secret]]), set: new Set([secret]), [Symbol('s')]: secret }
    for (const options of [
      {},
      { depth: 9, showHidden: true },
      { depth: 0 },
      { colors: true },
      { getters: true },
      { customInspect: false, showHidden: true },
    ])
      hidden(inspect(nested, options) + inspect(secret, options))
    assert.ok(inspect(nested, { depth: 9 }).includes('[secret]'))
    hidden(inspect(new Proxy(secret, {}), { showProxy: true }))
  })

  it('is [secret] for every directive of a console', () => {
    hidden(format('%s %o %O %j %i %d %f %c', secret, secret, secret, secret, secret, secret, secret, secret))
    const written: string[] = []
    const stdout = new Writable({ write: (chunk, _, done) => done(void written.push(String(chunk))) })
    const console = new Console({ stdout, stderr: stdout })
    console.log(secret, { secret })
    console.dir({ secret }, { depth: 9, showHidden: true })
    console.table([{ secret }])
    console.error('%o', [secret])
    assert.equal(written.length, 4)
    hidden(written.join(''))
  })

  it('is [secret] in errors: cause, aggregate, property, failed assertion', () => {
    const chain = new Error('a', { cause: new Error('b', { cause: { secret } }) })
    const own = new RotationError('internal', `with ${secret}`, { next: 'x', cause: Object.assign(chain, { secret }) })
    const many = new AggregateError([secret, own], 'many')
    const failed = ((): unknown => {
      try {
        assert.deepEqual({ secret }, { secret: 'x' })
      } catch (cause) {
        return cause
      }
      return undefined
    })()
    assert.ok(failed instanceof Error)
    for (const error of [chain, own, many, failed])
      hidden(inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error) + String(error))
  })

  it('has no property that holds it, and does not travel by copying', () => {
    assert.deepEqual([Reflect.ownKeys(secret), { ...secret }, structuredClone(secret)], [[], {}, {}])
    assert.ok(!serialize(secret).includes(Buffer.from(canary)))
  })

  it('gives itself out when asked, counts bytes, and compares by text', () => {
    assert.equal(secret.reveal(), canary)
    assert.equal(secret.bytes, Buffer.byteLength(canary))
    assert.ok(secret.equals(new SecretText(canary)) && !secret.equals(new SecretText(`${canary} `)))
  })
})
