import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { SecretText } from '../../shared/core/secret-text.js'
import { type Login, readShape, writeLogin } from '../../shared/core/shapes/index.js'
import { parseUrl } from '../../shared/core/shapes/url.js'

const write = (text: string, from: Login, to: Login): string => writeLogin(new SecretText(text), from, to).reveal()
const texts = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 24 }).filter((text) => text.isWellFormed()),
  fc.string({ unit: fc.constantFrom(...'%:@/?#[]!$&\'()*+,;="\\ {}|^`<>~\t\n\0ü\u{1f511}'), minLength: 1, maxLength: 12 }),
)
const logins = fc.record({ user: texts, password: texts })
const heads = fc.constantFrom('postgres://', 'postgresql://', 'PostgreSQL://', 'mysql://', 'amqp://', 'redis://', 'mongodb+srv://')
const tails = fc
  .tuple(
    fc.constantFrom('db', 'db.internal', '10.0.0.1', '[::1]', '[fe80::1]', 'xn--bcher-kva.example'),
    fc.constantFrom('', ':5432', ':1', ':65535'),
    fc.constantFrom('', '/', '/app', '/app%20db', '/a/b', '/%C3%BC'),
    fc.constantFrom('', '?', '?sslmode=require', '?a=%2F&b=c+d&a=2', '?options=-c%20x%3Dy', '?u=x@y:z'),
    fc.constantFrom('', '#', '#part', '#a@b:c'),
  )
  .map((parts) => parts.join(''))

describe('connection URL', () => {
  it('carries any login, byte for byte, with the rest untouched, for us and for the WHATWG parser', () => {
    fc.assert(
      fc.property(heads, tails, logins, logins, (head, tail, from, to) => {
        const text = `${head}${encodeURIComponent(from.user)}:${encodeURIComponent(from.password)}@${tail}`
        const out = write(text, from, to)
        assert.ok(out.startsWith(head) && out.endsWith(`@${tail}`))
        const userinfo = out.slice(head.length, out.length - tail.length - 1)
        assert.match(userinfo, /^[A-Za-z0-9._~%-]*:[A-Za-z0-9._~%-]*$/)
        const { user, password } = parseUrl(out, 'value')
        assert.deepEqual([user, password], [to.user, to.password])
        const standard = new URL(out)
        assert.deepEqual([standard.username, standard.password].map(decodeURIComponent), [to.user, to.password])
        assert.equal(new URL(`${head}${tail}`).host, standard.host)
      }),
      { numRuns: 400 },
    )
  })

  it('goes back to the same text with the same login', () => {
    fc.assert(
      fc.property(tails, logins, logins, (tail, from, to) => {
        const first = write(`postgres://x:y@${tail}`, { user: 'x', password: 'y' }, from)
        assert.equal(write(write(first, from, to), to, from), first)
      }),
    )
  })

  it('keeps jdbc: in front and white space around', () => {
    const from = { user: 'a', password: 'b' }
    const to = { user: 'c@', password: '$& $1' }
    assert.equal(write('\n jdbc:postgresql://a:b@h:5432/d?x=1 \n', from, to), '\n jdbc:postgresql://c%40:%24%26%20%241@h:5432/d?x=1 \n')
  })

  it('reads what others wrote: unencoded, half encoded, lower case, with a : inside', () => {
    const read = (text: string) => {
      const { user, password } = parseUrl(text, 'value')
      return [user, password]
    }
    assert.deepEqual(read("postgres://u:p!$&'()*+,;=@h/d"), ['u', "p!$&'()*+,;="])
    assert.deepEqual(read('postgres://u:p%40ss:w%c3%bc@h/d'), ['u', 'p@ss:wü'])
    assert.deepEqual(read('redis://:p@h/0'), ['', 'p'])
    assert.deepEqual(read('postgres://u@h/d'), ['u', undefined])
    assert.deepEqual(read('postgres://u:@h/d'), ['u', ''])
    assert.deepEqual(read('postgres://h/d?x=a@b:c'), [undefined, undefined])
  })

  it('gets a login where it had none', () =>
    assert.equal(write('postgres://h:1/d', { user: '', password: '' }, { user: 'u', password: 'p' }), 'postgres://u:p@h:1/d'))

  it('is refused by field, without a piece of it, when it cannot be understood', () => {
    for (const text of [
      'postgres://u:Canary%zz@h/d',
      'postgres://u:Canary%ff@h/d',
      'postgres://u:Canary/x@h/d',
      'postgres://u:p@Canary:x/d',
      'postgres://u:Canary@x@h/d',
      'postgres://u:p@Canary/x@h/d',
      'postgres://u:p@Canary?x@h/d',
      'postgres://u:p@Canary#x@h/d',
      'redis://:Canary@x@h/0',
    ]) {
      assert.throws(
        () => readShape(new SecretText(text)),
        (cause: unknown) => {
          const shown = inspect(cause, { depth: 9, showHidden: true })
          return (cause as { code?: string }).code === 'bad_value' && !shown.includes('Canary')
        },
      )
    }
  })

  it('refuses a login that is no well-formed text', () => {
    for (const login of [
      { user: 'u', password: '\ud800' },
      { user: '\udfff', password: 'p' },
    ])
      assert.throws(() => write('postgres://a:b@h/d', { user: 'a', password: 'b' }, login), { code: 'bad_value' })
  })
})

describe('bare text', () => {
  it('is replaced as a whole, whatever it is', () => {
    const bare = texts.filter((text) => !text.trimStart().startsWith('{') && !/^[a-z][a-z0-9+.-]*:\/\//i.test(text.trim()))
    fc.assert(
      fc.property(bare, texts, (old, next) => {
        assert.deepEqual(readShape(new SecretText(old)), { kind: 'bare', text: old })
        assert.equal(write(old, { user: 'u', password: old }, { user: 'u', password: next }), next)
      }),
    )
  })

  it('is not taken for JSON or a URL because it looks a little like one', () => {
    for (const text of ['[1]', '"x"', '123', 'null', 'a:b@c', '://x', '1a://x', 'http:/x', 'pass word://x y'])
      assert.equal(readShape(new SecretText(text)).kind, 'bare', text)
  })
})
