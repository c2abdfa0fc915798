import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RotationError } from '../../shared/core/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { dialect, parsePostgres } from '../../shared/rotators/postgres/value.js'
import { renderLogin } from '../../shared/rotators/sql/login.js'
import { asLibpq, asWhatwg, type Read } from '../harness/url-readers.js'

/** Everything that a URL means something by, and little else, so that each run has several of them. */
const raw = fc.string({
  unit: fc.constantFrom(...'@@//??##::%%&=+[]\\;,.', 'a', 'b', '1', '40', '2F', 'ü', '\u{1f511}'),
  minLength: 1,
  maxLength: 10,
})
const host = 'db.example'
const tails = fc.constantFrom(`@${host}:5432/orders`, `@${host}/orders?sslmode=require`, `@${host}`, `@${host}?application_name=x`)
const heads = fc.constantFrom('postgres://', 'postgresql://', 'jdbc:postgresql://')
const next = 'New-0123456789-0123456789-abcdef'

const parsed = (text: string): Read | RotationError => {
  try {
    const { user, password, host: there, port, database } = parsePostgres(new SecretText(text), {})
    return { user, password: password.reveal(), host: there, port: String(port), database }
  } catch (cause) {
    assert.ok(cause instanceof RotationError, String(cause))
    assert.equal(cause.code, 'bad_value')
    return cause
  }
}
const withDefaults = (read: Read | undefined): Read | undefined =>
  read && { ...read, port: read.port || '5432', database: read.database || 'postgres' }

describe('a URL with a password as it was typed', () => {
  it('is refused, or is read as libpq and the WHATWG parser both read it, and never has another host', () => {
    fc.assert(
      fc.property(heads, raw, raw, tails, (head, user, password, tail) => {
        for (const url of [`${head}app:${password}${tail}`, `${head}${user}:${password}${tail}`]) {
          const read = parsed(url)
          if (read instanceof RotationError) continue
          const plain = url.replace(/^jdbc:/, '')
          assert.deepEqual(read, withDefaults(asLibpq(plain)), url)
          assert.deepEqual(read, withDefaults(asWhatwg(plain)), url)
          assert.equal(read.host, host)
        }
      }),
      { numRuns: 3000 },
    )
  })

  it('is accepted where nothing in it can be misread', () => {
    for (const password of ['p:w', "!$&'()*+,;=", 'a%40b%2Fc', 'a%2fb', '~-._'])
      assert.ok(!(parsed(`postgres://app:${password}@${host}/orders`) instanceof RotationError), password)
  })

  it('beside the password in JSON leaves no reader behind: it is refused, or rewritten for everyone who reads the old login in it', () => {
    fc.assert(
      fc.property(heads, raw, tails, fc.boolean(), (head, password, tail, isEncoded) => {
        const url = `${head}app:${isEncoded ? encodeURIComponent(password) : password}${tail}`
        const value = new SecretText(JSON.stringify({ host, username: 'app', password, dbname: 'orders', 'db-url': url }))
        const read = parsed(value.reveal())
        if (read instanceof RotationError) return assert.equal(isEncoded, false, 'an encoded one is clear')
        const rendered = renderLogin(value, { ...parsePostgres(value, {}), password: new SecretText(next) }, dialect)
        const after = (JSON.parse(rendered.reveal()) as Record<string, string>)['db-url'] ?? ''
        for (const reader of [asLibpq, asWhatwg]) {
          const [before, now] = [url, after].map((one) => reader(one.replace(/^jdbc:/, '')))
          if (before?.password === password) assert.equal(now?.password, next, url)
        }
        if (isEncoded) assert.notEqual(after, url)
      }),
      { numRuns: 3000 },
    )
  })
})
