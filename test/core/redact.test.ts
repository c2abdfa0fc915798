import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { format, inspect } from 'node:util'
import fc from 'fast-check'
import { RotationError } from '../../shared/core/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { createRedactor } from '../../shared/lifecycle/guard/index.js'

const canary = 'p"%\'\\ü-🔑-Canary'
const quoted = (text: string) => text.replaceAll("'", "''")
/** Written down here anew, not taken from what is under test. */
const forms = (text: string): readonly string[] => [
  text,
  encodeURIComponent(text),
  JSON.stringify(text).slice(1, -1),
  quoted(text),
  Buffer.from(text).toString('base64'),
]

describe('SecretText', () => {
  it('prints as [secret] everywhere', () => {
    const secret = new SecretText(canary)
    const nested = { a: [secret], b: new Map([['k', secret]]), error: new Error('x', { cause: secret }) }
    const texts = [
      `${secret}`,
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect(nested, { depth: 9, showHidden: true }),
      format('%s %o %j', secret, secret, secret),
    ]
    for (const text of texts) for (const form of forms(canary)) assert.ok(!text.includes(form), text)
    assert.equal(`${secret}`, '[secret]')
    assert.equal(secret.reveal(), canary)
  })
})

describe('redaction', () => {
  it('takes every form out of any text', () => {
    const texts = fc
      .string({ unit: 'grapheme', minLength: 8, maxLength: 40 })
      .filter((text) => text.isWellFormed() && Buffer.byteLength(text) >= 8)
    fc.assert(
      fc.property(texts, fc.string(), fc.string(), (value, before, behind) => {
        const redactor = createRedactor()
        redactor.learn({ deep: [new SecretText(value)] })
        for (const form of forms(value)) {
          const clean = redactor.clean(before + form + behind)
          // What stands around may by chance complete the value again; then it stood there before.
          if (!(before + behind).includes(form) && !'[secret]'.includes(form)) assert.ok(!clean.includes(form), `${form} in ${clean}`)
        }
        for (const shift of ['', 'u', 'us']) {
          const clean = redactor.clean(Buffer.from(`${shift}${value}:tail`).toString('base64'))
          assert.ok(!Buffer.from(clean, 'base64').toString('utf8').includes(value))
        }
      }),
      { numRuns: 300 },
    )
  })

  it('leaves what is not secret', () => {
    const redactor = createRedactor()
    redactor.learn(new SecretText(canary))
    assert.equal(redactor.clean('app could not log in to db.internal:5432 (28P01)'), 'app could not log in to db.internal:5432 (28P01)')
  })
})

describe('RotationError', () => {
  it('has a code, a remedy, a next step, and no field when none is wrong', () => {
    const error = new RotationError('held', 'Not now.', { next: 'Wait.' })
    assert.deepEqual([error.code, error.remedy, error.next, 'field' in error], ['held', 'wait', 'Wait.', false])
  })
})
