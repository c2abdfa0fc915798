import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { SecretText } from '../../shared/core/secret-text.js'
import { readShape, writeLogin } from '../../shared/core/shapes/index.js'
import { encode, parseUrl } from '../../shared/core/shapes/url.js'

const unicode = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((text) => text.isWellFormed())
const write = (text: string, from: { user: string; password: string }, to: { user: string; password: string }): string =>
  writeLogin(new SecretText(text), from, to).reveal()
const old = { user: 'app_a', password: 'Old-0123456789-0123456789' }
const next = { user: 'app_b', password: 'New-0123456789-0123456789' }

describe('URL', () => {
  it('carries any login, and nothing else of it changes', () => {
    fc.assert(
      fc.property(unicode, unicode, unicode, (user, password, before) => {
        const tail = '@db.internal:6432/app%20db?sslmode=require&application_name=x%2Fy#part'
        const text = `postgres://${encode(before)}:${encode(old.password)}${tail}`
        const out = write(text, { user: before, password: old.password }, { user, password })
        const parts = parseUrl(out, 'value')
        assert.deepEqual([parts.user, parts.password], [user, password])
        assert.ok(out.startsWith('postgres://') && out.endsWith(tail))
        const standard = new URL(out)
        assert.deepEqual([decodeURIComponent(standard.username), decodeURIComponent(standard.password)], [user, password])
      }),
    )
  })

  it('is taken apart field by field', () => {
    const parts = parseUrl('postgresql://u%40x:p%3Aw@[::1]:5433/d%2Fb?sslmode=disable', 'value')
    assert.deepEqual(
      [parts.user, parts.password, parts.host, parts.port, parts.path, parts.query.sslmode],
      ['u@x', 'p:w', '::1', 5433, 'd/b', 'disable'],
    )
    for (const text of ['postgres://u:%@h/d', 'postgres://u:p@h:port/d', 'postgres://u:p@h1,h2:5432,x/d'])
      assert.throws(() => parseUrl(text, 'url'), { code: 'bad_value', field: 'url' })
  })
})

describe('JSON', () => {
  it('keeps every byte but the login: order, white space, numbers, escapes, odd names', () => {
    const text = `{\n\t"10": 1.0, "2":12345678901234567890 ,\n "__proto__": {"a":[1, 2]},"note":"\\u00e9\\/", "username" :"${old.user}","password":  "${old.password}" , "z":null}\n`
    const expected = text.replace(old.user, next.user).replace(old.password, next.password)
    assert.equal(write(text, old, next), expected)
  })

  it('round-trips any password, and any foreign field', () => {
    fc.assert(
      fc.property(unicode, fc.dictionary(fc.string(), fc.jsonValue()), (password, foreign) => {
        const value = { ...foreign, username: old.user, password: old.password }
        const out = JSON.parse(write(JSON.stringify(value), old, { user: old.user, password })) as Record<string, unknown>
        assert.deepEqual(out, JSON.parse(JSON.stringify({ ...value, password })))
      }),
    )
  })

  it('rewrites derived fields of the same login together, and leaves others', () => {
    const url = (user: string, password: string, host: string) => `postgres://${user}:${password}@${host}:5432/app?sslmode=require`
    const value = {
      'db-host': 'h',
      'db-user': old.user,
      'db-password': old.password,
      'db-url': url(old.user, old.password, 'h'),
      'visibility-connection-string': url(old.user, old.password, 'other'),
      'redis-url': 'redis://:another@r:6379/0',
      username: old.user,
      password: old.password,
    }
    const out = JSON.parse(write(JSON.stringify(value), old, next)) as typeof value
    assert.deepEqual(out, {
      ...value,
      'db-user': next.user,
      'db-password': next.password,
      'db-url': url(next.user, next.password, 'h'),
      'visibility-connection-string': url(next.user, next.password, 'other'),
      username: next.user,
      password: next.password,
    })
  })

  it('refuses a field that holds the password in a form it cannot rewrite, by name', () => {
    for (const dsn of [`host=h user=app_a password=${old.password}`, { nested: old.password }, [old.password]]) {
      const text = JSON.stringify({ username: old.user, password: old.password, dsn })
      assert.throws(
        () => write(text, old, next),
        (cause: unknown) =>
          inspect(cause).includes('dsn') && !inspect(cause).includes(old.password) && (cause as { field?: string }).field === 'dsn',
      )
    }
  })

  it('says where malformed text is wrong without quoting it', () => {
    for (const text of [
      '{"password":"Canary12345',
      '{"password":Canary12345}',
      '{"a":1,}',
      '{Canary12345',
      '{"password":"x"} Canary12345',
      '{"a":"Canary12345","a":2}',
    ]) {
      assert.throws(
        () => readShape(new SecretText(text)),
        (cause: unknown) =>
          (cause as { code?: string }).code === 'bad_value' && !inspect(cause, { depth: 9, showHidden: true }).includes('Canary'),
      )
    }
  })
})

describe('other shapes', () => {
  it('a bare text is replaced as a whole; empty and ill-formed ones are refused', () => {
    assert.equal(write(old.password, old, next), next.password)
    for (const text of ['', '\ud800', '{"a":"\ud800"}']) assert.throws(() => readShape(new SecretText(text)), { code: 'bad_value' })
  })
})
