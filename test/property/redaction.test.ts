import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { SecretText } from '../../shared/core/secret-text.js'
import { createRedactor, guardEnv } from '../../shared/lifecycle/guard/index.js'
import { FakeEnv } from '../harness/fake-env.js'

const canary = 'p"%\'\\ü-\u{1f511}x'
const mask = '[secret]'

/** What of the base64 text is the value's alone when `shift` bytes stand in front: 6 bits a character, the shared ones at both ends left out. */
function base64Of(value: string, shift: number): string {
  const bytes = Buffer.from(value)
  const bits = [...Buffer.concat([Buffer.alloc(shift), bytes])].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  const groups = bits.match(/.{6}/g) ?? []
  return groups
    .slice(Math.ceil((shift * 8) / 6))
    .map((group) => alphabet[Number.parseInt(group, 2)])
    .join('')
}
const urlSafe = (text: string): string => text.replaceAll('+', '-').replaceAll('/', '_')
const everyBase64 = (value: string): readonly string[] =>
  [0, 1, 2].flatMap((shift) => [base64Of(value, shift), urlSafe(base64Of(value, shift))])
const textForms = (value: string): readonly string[] => [
  value,
  encodeURIComponent(value),
  JSON.stringify(value).slice(1, -1),
  value.replaceAll("'", "''"),
]
const knowing = (...values: readonly string[]) => {
  const redactor = createRedactor()
  for (const value of values) redactor.learn({ a: [{ b: new SecretText(value) }] })
  return redactor
}

const around = fc.string({ unit: 'grapheme', maxLength: 12 })
const values = fc.oneof(
  fc.constant(canary),
  fc.string({ unit: 'binary', minLength: 4, maxLength: 40 }).filter((text) => text.isWellFormed()),
  fc.string({ unit: fc.constantFrom(...'"\'\\%/+ü\u{1f511}\n&='), minLength: 4, maxLength: 12 }),
)
/** Base64 of four bytes has five characters of its own, of shorter ones fewer: see the last test of this group. */
const longer = values.filter((value) => Buffer.byteLength(value) >= 5)

describe('redaction', () => {
  it('takes the value out of a text: as it is, percent-encoded, JSON-escaped, SQL-quoted', () => {
    fc.assert(
      fc.property(values, fc.nat(3), around, around, (value, which, before, behind) => {
        const form = textForms(value)[which] ?? ''
        fc.pre(!textForms(value).some((each) => (before + behind).includes(each) || mask.includes(each)))
        const clean = knowing(value).clean(before + form + behind)
        for (const each of textForms(value)) assert.ok(!clean.includes(each), clean)
      }),
      { numRuns: 600 },
    )
  })

  it('takes the value out of base64, wherever it begins in what was encoded, plain and URL-safe', () => {
    fc.assert(
      fc.property(longer, fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), around, (value, before, behind, text) => {
        const encoded = Buffer.concat([before, Buffer.from(value), behind])
        const redactor = knowing(value)
        for (const shown of [encoded.toString('base64'), encoded.toString('base64url')]) {
          const clean = redactor.clean(`${text} ${shown} ${text}`)
          for (const form of everyBase64(value)) assert.ok(!clean.includes(form), `${form} in ${clean}`)
        }
      }),
      { numRuns: 600 },
    )
  })

  it('takes a value of four letters out of base64 too, as it does out of a text', () => {
    for (const before of ['', 'u', 'u:']) {
      const clean = knowing('aB3d').clean(`Basic ${Buffer.from(`${before}aB3d`).toString('base64')}`)
      assert.ok(
        !Buffer.from(clean.split(' ')[1] ?? '', 'base64')
          .toString()
          .includes('aB3d'),
        clean,
      )
    }
  })

  it('takes all of several values out, also where one is a part of another', () => {
    fc.assert(
      fc.property(fc.array(longer, { minLength: 1, maxLength: 4 }), around, (several, text) => {
        const nested = [...several, several.join(''), `postgres://u:${encodeURIComponent(several[0] ?? '')}@h/d`]
        fc.pre(!nested.some((value) => text.includes(value) || mask.includes(value)))
        const clean = knowing(...nested).clean(nested.flatMap(textForms).join(` ${text} `))
        for (const value of several.filter((each) => !` ${text} `.includes(each))) assert.ok(!clean.includes(value))
      }),
    )
  })

  it('takes every occurrence out, and says that something was there', () =>
    assert.equal(knowing(canary).clean(`a ${canary} b ${canary}${canary} c`), `a ${mask} b ${mask}${mask} c`))

  it('is done with a text that is clean', () => {
    fc.assert(
      fc.property(values, around, around, (value, before, behind) => {
        const redactor = knowing(value)
        const once = redactor.clean(before + value + behind)
        fc.pre(!mask.includes(value) && !textForms(value).some((form) => mask.includes(form)))
        assert.equal(redactor.clean(once), once)
      }),
    )
  })

  it('leaves every text that does not hold the value', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 60 }), (text) =>
        assert.equal(knowing('\u{1f511}\u{1f511}-\u{1f511}\u{1f511}').clean(text), text),
      ),
    )
  })

  it('takes a value out that is no well-formed Unicode', () => {
    const value = 'ab\ud800cd-0123'
    const redactor = knowing(value)
    for (const form of [value, JSON.stringify(value), Buffer.from(value).toString('base64'), encodeURIComponent(value.toWellFormed())])
      assert.ok(!redactor.clean(`x ${form} y`).includes('0123'))
  })

  it('takes percent- and JSON-escapes out in the spelling of other languages', () => {
    const upperJson = JSON.stringify(canary)
      .slice(1, -1)
      .replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`)
    const lowerPercent = encodeURIComponent(canary).replace(/%[0-9A-F]{2}/g, (triple) => triple.toLowerCase())
    for (const form of [upperJson, lowerPercent]) {
      const clean = knowing(canary).clean(`x ${form} y`)
      assert.ok(!clean.includes(form), clean)
    }
  })
})

describe('what a redactor learns', () => {
  it('is every value inside lists and objects, also in a circle, and no plain text', () => {
    const circle: Record<string, unknown> = { plain: 'plain text stays', list: [[new SecretText('in a list')]] }
    circle.self = circle
    const redactor = createRedactor()
    redactor.learn(circle)
    assert.equal(redactor.clean('in a list, plain text stays'), `${mask}, plain text stays`)
  })

  it('is every value inside maps and sets', () => {
    const redactor = createRedactor()
    redactor.learn({ map: new Map([['k', new SecretText('in a map')]]), set: new Set([new SecretText('in a set')]) })
    assert.equal(redactor.clean('in a map, in a set'), `${mask}, ${mask}`)
  })

  it('may come after a text was cleaned', () => {
    const redactor = createRedactor()
    assert.equal(redactor.clean('later-value'), 'later-value')
    redactor.learn(new SecretText('later-value'))
    assert.equal(redactor.clean('later-value'), mask)
  })

  it('is kept out of the log of the environment that rotators get', () => {
    const env = new FakeEnv()
    guardEnv(env, knowing(canary)).log('x', { a: `a ${canary} ${encodeURIComponent(canary)}`, n: 5 })
    assert.deepEqual(env.lines, [{ code: 'x', fields: { a: `a ${mask} ${mask}`, n: 5 } }])
    assert.ok(!inspect(env.lines, { depth: 9 }).includes(canary))
  })
})
