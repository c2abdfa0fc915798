import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { aws } from '../../functions/aws/platform.js'
import { codeOf } from '../../shared/core/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { siteOf } from '../../shared/core/shapes/site.js'
import { dialect, parsePostgres } from '../../shared/rotators/postgres/value.js'
import { renderLogin } from '../../shared/rotators/sql/login.js'
import { whyMissing } from '../harness/programs.js'

const password = 'Canary-0123456789'
const textOf = (fields: object | string): string => {
  const rest = typeof fields === 'string' ? fields : JSON.stringify(fields).slice(1, -1)
  return `{"engine":"postgres","host":"h","username":"app","password":"${password}"${rest === '' ? '' : `,${rest}`}}`
}
const parse = (fields: object | string) => parsePostgres(new SecretText(textOf(fields)), {})

const refused = (fields: object | string): string | undefined => {
  try {
    parse(fields)
    return undefined
  } catch (cause) {
    assert.equal(codeOf(cause), 'bad_value')
    assert.ok(cause instanceof Error && !cause.message.includes('Canary'))
    return 'field' in cause ? String(cause.field) : ''
  }
}

/** The fields as they are in the text, because `5432.0` and `5432` are one number to JSON.parse. */
const ports: readonly (readonly [text: string, port: number | undefined])[] = [
  ['', 5432],
  ['"port":5433', 5433],
  ['"port":5433.0', 5433],
  ['"port":5.433e3', 5433],
  ['"port":"5433"', 5433],
  ['"port":" 5433\\n"', 5433],
  ['"port":"+5433"', 5433],
  ['"port":"005433"', 5433],
  ['"port":"0000005433"', 5433],
  ['"port":""', 5432],
  ['"port":null', 5432],
  ['"port":"5_433"', undefined],
  ['"port":"５４３３"', undefined],
  ['"port":"\\u00a05433"', undefined],
  ['"port":5433.7', undefined],
  ['"port":true', undefined],
  ['"port":"5433.0"', undefined],
  ['"port":"0x1539"', undefined],
  ['"port":"five"', undefined],
  ['"port":" "', undefined],
  ['"port":0', undefined],
  ['"port":"-5433"', undefined],
  ['"port":65536', undefined],
  ['"port":[5433]', undefined],
]

const switches: readonly (readonly [ssl: unknown, mode: 'verify' | 'off'])[] = [
  [undefined, 'verify'],
  ...[true, 'true', 'TRUE', 'True', 'tRuE'].map((ssl) => [ssl, 'verify'] as const),
  ...[false, 'false', 'FALSE', 'False'].map((ssl) => [ssl, 'off'] as const),
  // The templates try TLS first and then plaintext; here the second attempt is not made.
  ...[null, '', 1, 0, '1', '0', 'yes', 'no', 'require', ' true', ' false', [], {}, [false]].map((ssl) => [ssl, 'verify'] as const),
]

const databases: readonly (readonly [fields: object, database: string | undefined])[] = [
  [{}, 'postgres'],
  [{ dbname: 'app' }, 'app'],
  [{ dbname: null }, 'postgres'],
  [{ dbname: '' }, 'postgres'],
  [{ dbname: '', database: 'app' }, 'app'],
  [{ dbname: null, url: `postgres://app:${password}@h/inner` }, 'inner'],
  [{ dbname: 7 }, undefined],
]

describe("a secret that the vendor's templates rotate", () => {
  for (const [text, port] of ports)
    it(`${text || 'no port'}: ${port ?? 'bad_value'}`, () => {
      const site = () => siteOf(new SecretText(textOf(text)))
      if (port === undefined) {
        assert.equal(refused(text), 'port')
        assert.throws(site, (cause: unknown) => codeOf(cause) === 'bad_value')
        return
      }
      assert.equal(parse(text).port, port)
      assert.equal(site()?.port ?? 5432, port)
    })

  for (const [ssl, mode] of switches)
    it(`"ssl": ${JSON.stringify(ssl)}: ${mode === 'off' ? 'plaintext' : 'verified TLS'}`, () => assert.equal(parse({ ssl }).tls.mode, mode))

  for (const [fields, database] of databases)
    it(`${JSON.stringify(fields)}: ${database ?? 'bad_value'}`, () => {
      if (database === undefined) assert.equal(refused(fields), 'dbname')
      else assert.equal(parse(fields).database, database)
    })

  it('an empty sslmode or ca says nothing, and what contradicts is refused', () => {
    for (const nothing of [null, '']) {
      assert.deepEqual(parse({ sslmode: nothing, ca: nothing, sslrootcert: nothing }).tls, { mode: 'verify' })
      assert.equal(parse({ ssl: 'False', sslmode: nothing }).tls.mode, 'off')
      assert.equal(parse({ ssl: nothing, sslmode: 'disable' }).tls.mode, 'off')
    }
    assert.equal(refused({ ssl: 'TRUE', sslmode: 'disable' }), 'sslmode')
    assert.equal(refused({ ssl: 'False', sslmode: 'verify-full' }), 'ssl')
    assert.equal(refused({ ssl: 'yes', sslmode: 'disable' }), 'ssl')
  })

  it('keeps every byte but the credential, however its other fields are written', () => {
    const accepted = [
      ...ports.filter(([, port]) => port !== undefined).map(([text]) => textOf(text)),
      ...switches.map(([ssl]) => textOf({ ssl })),
      ...databases.filter(([, database]) => database !== undefined).map(([fields]) => textOf(fields)),
    ]
    for (const text of accepted) {
      const from = new SecretText(text)
      const next = { ...parsePostgres(from, {}), password: new SecretText('Next-9876543210') }
      assert.equal(renderLogin(from, next, dialect).reveal(), text.replaceAll(password, 'Next-9876543210'))
    }
  })
})

/** Asks Python what each text means: the number that int() gives, or null; whether a switch of this text is on. */
function askPython(texts: readonly string[]): readonly (readonly [number: string | null, ssl: boolean | null, isOn: boolean])[] {
  const program = `
import json, sys
def number(text):
    try:
        return str(int(text))
    except ValueError:
        return None
def ssl(text):
    return {'true': True, 'false': False}.get(text.lower())
print(json.dumps([[number(t), ssl(t), t.lower() in ('true', '1', 'y', 'yes')] for t in json.load(sys.stdin)]))`
  const answer = execFileSync('python3', ['-c', program], { input: JSON.stringify(texts), encoding: 'utf8' })
  return JSON.parse(answer) as ReturnType<typeof askPython>
}

describe('the same text, read by Python and here', { skip: whyMissing('python3') }, () => {
  const words = ['true', 'TRUE', 'False', 'false', 'yes', 'Yes', 'y', 'Y', '1', '0', 'n', 'no', 'on', 'off', 'ſ', 'İ', 'K']
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789_+- \t\n.e٣５', '\u00a0', '\u0085', '\u001f'), maxLength: 8 })
  const drawn = fc.sample(digits, { numRuns: 3000, seed: 5432 })
  const texts = [...new Set([...words, ...words.map((word) => ` ${word}`), '', '5432', ' +05432\n', ...drawn])]
  const answers = whyMissing('python3') ? [] : askPython(texts)
  const each = texts.map((text, at) => ({ text, python: answers[at] ?? [null, null, false] }))

  it('a port is the number that int() gives, or is refused where clients would not agree on it', () => {
    for (const { text, python } of each.filter((one) => one.text !== '')) {
      const number = Number(python[0])
      const isPlain = /^[ \t-\r]*\+?[0-9]+[ \t-\r]*$/.test(text)
      const isPort = python[0] !== null && isPlain && number > 0 && number < 65_536
      const field = refused({ port: text })
      assert.equal(field, isPort ? undefined : 'port', JSON.stringify(text))
      if (isPort) assert.equal(parse({ port: text }).port, number, JSON.stringify(text))
    }
  })

  it('only what Python reads as false is plaintext', () => {
    for (const { text, python } of each)
      assert.equal(parse({ ssl: text }).tls.mode, python[1] === false ? 'off' : 'verify', JSON.stringify(text))
  })

  it('a variable of the function is on where Python reads it so, and counts as not set where it is empty', () => {
    for (const { text, python } of each) {
      const wishes = (environment: Readonly<Record<string, string>>) => aws.passwordWishes?.(environment, [])
      assert.equal(wishes({ EXCLUDE_NUMBERS: text })?.exclude ?? '', python[2] ? '0123456789' : '', JSON.stringify(text))
      assert.equal(wishes({ REQUIRE_EACH_INCLUDED_TYPE: text })?.requireEach, text === '' ? undefined : python[2], JSON.stringify(text))
    }
  })
})
