import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { RotationError } from '../../shared/core/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { type Login, readShape, writeLogin } from '../../shared/core/shapes/index.js'

const write = (text: string, from: Login, to: Login): string => writeLogin(new SecretText(text), from, to).reveal()
const old: Login = { user: 'app_a', password: 'Old-0123456789-0123456789' }
const next: Login = { user: 'app_b', password: 'New-0123456789-0123456789' }
const texts = fc.string({ unit: 'binary', minLength: 1, maxLength: 24 }).filter((text) => text.isWellFormed())
const logins = fc.record({ user: texts, password: texts })

const caught = (act: () => unknown): RotationError => {
  try {
    act()
  } catch (cause) {
    assert.ok(cause instanceof RotationError, inspect(cause))
    return cause
  }
  return assert.fail('nothing was thrown')
}
const shown = (cause: unknown): string => inspect(cause, { depth: 9, showHidden: true }) + JSON.stringify(cause)

const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 })
/** A string literal in which each character is written as it is or as one of the escapes that mean the same. */
const literal = (text: string, how: readonly number[]): string => {
  const hex = (character: string, upper: boolean): string =>
    Array.from({ length: character.length }, (_, index) => character.charCodeAt(index).toString(16).padStart(4, '0'))
      .map((digits) => `\\u${upper ? digits.toUpperCase() : digits}`)
      .join('')
  const body = [...text].map((character, index) => {
    const choice = (how[index % how.length] ?? 0) % 6
    if (choice < 2) return hex(character, choice === 0)
    if (character === '/' && choice === 2) return '\\/'
    return choice === 3 && character < ' ' ? hex(character, false) : JSON.stringify(character).slice(1, -1)
  })
  return `"${body.join('')}"`
}
const choices = fc.array(fc.nat(5), { minLength: 1, maxLength: 8 })
const odd = fc.constantFrom('__proto__', 'constructor', 'toString', '0', '10', '2', '-1', '', 'ключ', '\u{1f511}', 'a"b', 'a\\b', 'a\nb')
const numbers = fc.constantFrom('12345678901234567890', '1.0', '-0', '1E400', '0.10', '1e-7', '100000000000000000000000.000')
const foreignValue = fc.oneof(
  numbers,
  fc.constantFrom('true', 'false', 'null', '{ }', '[ ]', '[1.0 , {"a" : 2.50}]', '{"b":1,"a":1,"b":2}', '"\\ud800"', '"\u2028\\u2029"'),
  fc.tuple(fc.string({ unit: 'binary', maxLength: 8 }), choices).map(([text, how]) => literal(text.toWellFormed(), how)),
)
const foreignField = fc.record({
  name: fc.oneof(odd, fc.string({ unit: 'grapheme', maxLength: 6 })),
  how: choices,
  value: foreignValue,
  gaps: fc.tuple(space, space, space, space),
})
const foreign = fc.uniqueArray(foreignField, { maxLength: 8, selector: ({ name }) => name })

interface Written {
  readonly name: string
  readonly value: string
  readonly gaps: readonly string[]
}
const gap = [' ', '', '\t', '\n'] as const
const object = (fields: readonly Written[]): string =>
  `\n{${fields.map(({ name, value, gaps: [a = '', b = '', c = '', d = ''] }) => `${a}${name}${b}:${c}${value}${d}`).join(',')}}\r\n`

/** The fields of one login, as a secret with derived fields repeats it. */
function loginFields({ user, password }: Login, how: readonly number[] | null): readonly Written[] {
  const url = (host: string) => `postgres://${strict(user)}:${strict(password)}@${host}:5432/app?sslmode=require`
  const fields = {
    username: user,
    password,
    'db-user': user,
    'db-password': password,
    'db-url': url('h'),
    'connection-string': url('[::1]'),
    'visibility-connection-string': url('other.example'),
  }
  return Object.entries(fields).map(([name, value]) => ({
    name: JSON.stringify(name),
    value: how === null ? JSON.stringify(value) : literal(value, how),
    gaps: gap,
  }))
}
const strict = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

describe('a JSON secret', () => {
  it('keeps every byte outside the login, and rewrites all fields of the login together', () => {
    fc.assert(
      fc.property(foreign, fc.nat(), choices, logins, logins, (others, at, how, from, to) => {
        const rest = others
          .filter(({ name }) => !/user|login|pass|pwd/i.test(name))
          .map(({ name, how: nameHow, value, gaps }) => ({ name: literal(name, nameHow), value, gaps }))
        const split = at % (rest.length + 1)
        const text = (login: readonly Written[]) => object([...rest.slice(0, split), ...login, ...rest.slice(split)])
        assert.equal(write(text(loginFields(from, how)), from, to), text(loginFields(to, null)))
      }),
      { numRuns: 400 },
    )
  })

  it('leaves a text that merely equals the login in a field of another meaning', () => {
    const text = JSON.stringify({ username: 'app', password: 'pw', dbname: 'app', host: 'app', engine: 'pw' })
    assert.deepEqual(JSON.parse(write(text, { user: 'app', password: 'pw' }, next)), {
      ...JSON.parse(text),
      username: next.user,
      password: next.password,
    })
  })

  it('leaves the login of somebody else', () => {
    const text = JSON.stringify({
      username: old.user,
      password: old.password,
      adminuser: 'root',
      'redis-password': 'x',
      'redis-url': 'redis://app_a:x@r/0',
    })
    assert.deepEqual(JSON.parse(write(text, old, next)), { ...JSON.parse(text), username: next.user, password: next.password })
  })

  it('rewrites user and password of a pair of fields together, however the pair is spelled', () => {
    for (const [user, password] of [
      ['user', 'password'],
      ['db_user', 'db_password'],
      ['DB_USERNAME', 'DB_PASSWORD'],
      ['dbUser', 'dbPassword'],
      ['dbUsername', 'dbPassword'],
      ['dbuser', 'dbpassword'],
      ['PGUSER', 'PGPASSWORD'],
    ] as const) {
      const text = JSON.stringify({ username: old.user, password: old.password, [user]: old.user, [password]: old.password })
      const out = JSON.parse(write(text, old, next)) as Record<string, unknown>
      assert.deepEqual([out[user], out[password]], [next.user, next.password], `${user} and ${password}`)
    }
  })

  it('leaves a foreign URL that is no login of ours, also one that we could not take apart', () => {
    for (const text of [
      'kafka://h1:9092,h2:9092',
      'mongodb://x:y@h1:1,h2:2/d?replicaSet=r',
      'https://example.com/100%',
      'https://x/%s',
      'unix:///run/x',
    ]) {
      const value = { username: old.user, password: old.password, endpoint: text }
      assert.deepEqual(JSON.parse(write(JSON.stringify(value), old, next)), { ...value, username: next.user, password: next.password })
    }
  })
})

describe('a field that holds the password in a form that cannot be rewritten', () => {
  const refusedAs = (field: string, value: unknown, login: Login): void => {
    const text = JSON.stringify({ username: login.user, password: login.password, [field]: value, last: 1 })
    const error = caught(() => write(text, login, next))
    assert.deepEqual([error.code, error.field], ['bad_value', field])
    assert.ok(error.message.includes(field))
    for (const form of [login.password, encodeURIComponent(login.password), JSON.stringify(login.password).slice(1, -1)])
      assert.ok(!shown(error).includes(form), 'the error shows the password')
  }
  const long = fc.string({ unit: 'binary', minLength: 16, maxLength: 30 }).filter((text) => text.isWellFormed())

  it('is refused by name: inside a text', () =>
    fc.assert(fc.property(long, (password) => refusedAs('dsn', `host=h user=app_a password=${password} x`, { user: 'app_a', password }))))

  it('is refused by name: percent-encoded inside a text', () =>
    fc.assert(fc.property(long, (password) => refusedAs('jdbc', `jdbc:x:thin:app_a/${strict(password)} y`, { user: 'app_a', password }))))

  const plain = fc.string({ unit: fc.constantFrom(...'aB3_-:@/?#%&ü\u{1f511}'), minLength: 16, maxLength: 30 })
  const places: Readonly<Record<string, (password: string) => unknown>> = {
    object: (password) => ({ deep: [{ password }] }),
    list: (password) => ['x', password],
    name: (password) => ({ [password]: true }),
    'JSON in a string': (password) => JSON.stringify({ password }),
  }
  for (const [place, put] of Object.entries(places)) {
    it(`is refused by name: in a nested ${place}`, () =>
      fc.assert(fc.property(plain, (password) => refusedAs('nested', put(password), { user: 'app_a', password }))))

    it(`is refused by name: in a nested ${place}, with characters that JSON escapes`, () =>
      fc.assert(fc.property(long, (password) => refusedAs('nested', put(password), { user: 'app_a', password }))))
  }

  it('is refused by name: base64, as in a basic authorization', () =>
    fc.assert(
      fc.property(long, (password) => refusedAs('auth', Buffer.from(`app_a:${password}`).toString('base64'), { user: 'app_a', password })),
    ))

  it('is refused already from six characters on where the name promises a credential', () =>
    refusedAs('my-dsn', 'host=h password=hunter2', { user: 'app_a', password: 'hunter2' }))
})

describe('JSON that is refused', () => {
  // Greek letters: our own messages have none, so every piece of the text would be seen.
  const greek = fc.string({ unit: fc.constantFrom(...'αβγδεζηθικλμνξοπρστυφχψω'), minLength: 1, maxLength: 9 })

  it('is never quoted, wherever it is broken', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(greek, greek), { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.constantFrom('', '"', '}', 'ω', ',', '\\', '\n'),
        (pairs, at, put) => {
          const good = `{${pairs.map(([name, value]) => `"${name}":"${value}"`).join(',')}}`
          const place = 1 + (at % (good.length - 1))
          const text = good.slice(0, place) + put + good.slice(place + 1)
          fc.pre(!isJson(text))
          const error = caught(() => readShape(new SecretText(text)))
          assert.deepEqual([error.code, error.field, error.cause], ['bad_value', 'value', undefined])
          for (let start = 0; start + 5 <= text.length; start++) assert.ok(!shown(error).includes(text.slice(start, start + 5)))
        },
      ),
      { numRuns: 400 },
    )
  })
  const isJson = (text: string): boolean => {
    try {
      return JSON.parse(text) !== undefined
    } catch {
      return false
    }
  }

  it('names a field twice, also when one of the names is escaped', () => {
    for (const text of [
      '{"a":1,"a":1}',
      '{"a":1,"b":2,"\\u0061":3}',
      '{"__proto__":1,"__proto__":2}',
      '{"":1,"":2}',
      `{"password":"Canary1","password":"Canary2"}`,
    ]) {
      const error = caught(() => readShape(new SecretText(text)))
      assert.deepEqual([error.code, error.field], ['bad_value', 'value'])
      assert.ok(error.message.includes('twice') && !shown(error).includes('Canary'))
    }
  })

  it('has comments, a trailing comma, a byte order mark or something behind', () => {
    for (const text of [
      '{"a":1 /* x */}',
      '{"a":1} // x',
      '{"a":1,}',
      '\ufeff{"a":1}',
      '{"a":1}{',
      "{'a':1}",
      '{a:1}',
      '{"a":01}',
      '{"a":NaN}',
      '{"a":"\t"}',
    ])
      assert.equal(caught(() => readShape(new SecretText(text))).code, 'bad_value', text)
  })

  it('is empty, or no well-formed Unicode', () => {
    for (const text of ['', '\ud800', '{"a":"\udc00"}', '{"password":"x\ud800y"}'])
      assert.equal(caught(() => readShape(new SecretText(text))).code, 'bad_value')
  })

  it('holds the password as an escape that is no well-formed Unicode', () => {
    const password = '\ud800-0123456789-0123456789'
    const text = '{"username":"app_a","password":"\\ud800-0123456789-0123456789","note":"x"}'
    assert.equal(caught(() => write(text, { user: 'app_a', password }, next)).code, 'bad_value')
  })

  it('is nested deeper than a call stack', () => {
    const text = `{"password":"${old.password}","a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
    assert.equal(caught(() => readShape(new SecretText(text))).code, 'bad_value')
  })
})
