import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { checkRule, defaultRule, generatePassword, type PasswordRule } from '../../shared/core/password.js'
import { FakeEnv } from '../harness/fake-env.js'

const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(0x21 + index))
/** Alphabets of every size, with at least one letter, because the first character is one. */
const alphabets = fc
  .shuffledSubarray(printable, { minLength: 16 })
  .filter((characters) => characters.some((character) => /[A-Za-z]/.test(character)))
  .map((characters) => characters.join(''))

const sample = (count: number, rule: PasswordRule = defaultRule, seed = 'rules'): readonly string[] => {
  const env = new FakeEnv(seed)
  return Array.from({ length: count }, () => generatePassword(rule, env.random))
}

function chiSquare(text: string, alphabet: string): number {
  const counts = new Map<string, number>([...alphabet].map((character) => [character, 0]))
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  const expected = text.length / alphabet.length
  return [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}
/** Six standard deviations above the mean: a fair source stays below it, folded bytes are several times above. */
const chiMax = (alphabet: string): number => alphabet.length - 1 + 6 * Math.sqrt(2 * (alphabet.length - 1))

describe('any rule', () => {
  it('gives its length, of its alphabet, beginning as it says', () => {
    fc.assert(
      fc.property(alphabets, fc.integer({ min: 40, max: 256 }), fc.string(), (alphabet, length, seed) => {
        const text = generatePassword({ alphabet, length, classes: [] }, new FakeEnv(seed).random)
        assert.equal(text.length, length)
        assert.ok([...text].every((character) => alphabet.includes(character)))
        assert.match(text, /^[A-Za-z]/)
      }),
      { numRuns: 200 },
    )
  })

  it('keeps every class, also where a class is one rare character', () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        const text = generatePassword({ ...defaultRule, classes: ['_', '-', '7', 'QX'] }, new FakeEnv(seed).random)
        for (const group of [/_/, /-/, /7/, /[QX]/]) assert.match(text, group)
      }),
      { numRuns: 50 },
    )
  })

  it('takes what may stand first from the rule', () => {
    for (const text of sample(200, { ...defaultRule, first: 'xyz' })) assert.match(text, /^[xyz]/)
  })

  it('depends on the random source alone', () => {
    assert.deepEqual(sample(20), sample(20))
    assert.notDeepEqual(sample(20), sample(20, defaultRule, 'another seed'))
  })
})

describe('no modulo bias', () => {
  it('spreads evenly over alphabets whose size does not divide 256', () => {
    for (const size of [10, 36, 52, 62, 63, 64, 65, 90, 94]) {
      const alphabet = ['a', ...printable.filter((character) => character !== 'a')].slice(0, size).join('')
      const rule = { length: 250, alphabet, first: alphabet, classes: [] }
      const chi = chiSquare(sample(400, rule, `bias ${size}`).join(''), alphabet)
      assert.ok(chi < chiMax(alphabet), `${size} characters: chi-square ${chi}`)
    }
  })

  it('spreads the first character evenly over the letters', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
    const first = sample(6000, defaultRule, 'first')
      .map((text) => text.slice(0, 1))
      .join('')
    assert.ok(chiSquare(first, letters) < chiMax(letters))
  })

  it('rejects every byte of the biased tail, whatever the alphabet', () => {
    fc.assert(
      fc.property(alphabets, fc.nat(), fc.nat(), (alphabet, tailBy, wantedBy) => {
        const size = alphabet.length
        const tailFrom = Math.floor(256 / size) * size
        fc.pre(tailFrom < 256)
        const wanted = wantedBy % tailFrom
        const random = (count: number): Uint8Array => {
          const bytes = Uint8Array.from({ length: count }, (_, index) => tailFrom + ((tailBy + index) % (256 - tailFrom)))
          bytes[count - 1] = wanted
          return bytes
        }
        const text = generatePassword({ alphabet, length: 64, first: alphabet, classes: [] }, random)
        assert.equal(text, (alphabet[wanted % size] ?? '').repeat(64))
      }),
    )
  })

  it('keeps the last byte below the tail and refuses the first one in it', () => {
    const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
    const feed = (bytes: readonly number[]) => (count: number) => Uint8Array.from({ length: count }, (_, index) => bytes[index % 2] ?? 0)
    assert.equal(generatePassword({ length: 30, alphabet, classes: [] }, feed([208, 207])), 'Z'.repeat(30))
  })

  it('rejects a whole draw that lacks a class instead of repairing it', () => {
    let draws = 0
    const random = (count: number): Uint8Array => new Uint8Array(count).fill(draws++ < 20 ? 0 : draws)
    const text = generatePassword({ ...defaultRule, classes: ['B'] }, random)
    assert.ok(!text.startsWith('A') && text.includes('B') === true)
  })
})

describe('the default alphabet', () => {
  it('reaches a program through a POSIX shell without quotes', () => {
    for (const text of sample(25, defaultRule, 'shell'))
      assert.equal(execFileSync('sh', ['-c', `printf %s ${text}`], { encoding: 'utf8' }), text)
  })

  it('is the same in a URL, encoded or not', () => {
    for (const text of sample(200)) {
      assert.equal(encodeURIComponent(text), text)
      const url = new URL(`postgres://user:${text}@host/db?password=${text}#${text}`)
      assert.deepEqual([url.password, url.searchParams.get('password'), url.hash], [text, text, `#${text}`])
    }
  })

  it('is a YAML plain scalar that is read as text, in 1.1 and in 1.2', () => {
    const notText = [
      /^(~|null|y|n|yes|no|true|false|on|off)$/i,
      /^[-+]?(0b[01_]+|0o?[0-7_]+|0x[\da-f_]+|[\d_]+)$/i,
      /^[-+]?(\.inf|\.nan|(\.\d[\d_]*|\d[\d_]*(\.[\d_]*)?)(e[-+]?\d+)?)$/i,
      /^\d{4}-\d\d?-\d\d?/,
      /^[-?:,[\]{}#&*!|>'"%@`]/,
      /: |:$| #/,
      /^(---|\.\.\.)/,
    ]
    for (const text of sample(500)) for (const form of notText) assert.doesNotMatch(text, form)
  })

  it('stands in .pgpass and in an ODBC string as it is', () => {
    for (const text of sample(200)) {
      const fields = `h:5432:db:u:${text}`.split(/(?<!\\):/).map((field) => field.replace(/\\(.)/g, '$1'))
      assert.deepEqual(fields, ['h', '5432', 'db', 'u', text])
      const pairs = new Map(
        `Driver=x;PWD=${text};UID=u`.split(';').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
      )
      assert.equal(pairs.get('PWD'), text)
      assert.doesNotMatch(text, /[[\]{}(),;?*=!@\s]/) // what the ODBC reference wants in braces
    }
  })
})

describe('a rule that is refused', () => {
  const refused = (rule: Partial<PasswordRule>): void =>
    assert.throws(() => generatePassword({ ...defaultRule, ...rule }, new FakeEnv().random), { code: 'bad_policy' }, JSON.stringify(rule))

  it('has no usable length', () => {
    for (const length of [0, -1, -32, 0.5, 31.999, Number.NaN, Number.POSITIVE_INFINITY, 257]) refused({ length })
    checkRule({ ...defaultRule, length: 256 })
  })

  it('has fewer than 128 bits: 21 of 64 characters are too few, 22 enough', () => {
    refused({ length: 21 })
    checkRule({ ...defaultRule, length: 22 })
    refused({ length: 256, alphabet: 'a', classes: [] })
  })

  it('counts the bits of the first character as they are', () => {
    // 31 hexadecimal digits behind one of six letters: 31 * 4 + 2.6 bits.
    refused({ length: 32, alphabet: '0123456789abcdef', classes: [] })
    refused({ length: 22, first: 'x' })
  })

  it('names a character twice, or one outside printable ASCII', () => {
    for (const extra of ['a', ' ', '\t', '\n', '\0', '\x7f', 'é', 'ı', '\u{1f511}', '\ud800'])
      refused({ alphabet: defaultRule.alphabet + extra })
    refused({ alphabet: '' })
  })

  it('begins with what its alphabet does not have', () => {
    for (const first of ['é', ':', '', 'aab']) refused({ first })
  })

  it('asks for what cannot be', () => {
    refused({ alphabet: '0123456789_-', length: 64, classes: [] })
    for (const group of ['!', '', 'é']) refused({ classes: [group] })
    refused({ length: 22, classes: [...defaultRule.alphabet] })
  })
})
