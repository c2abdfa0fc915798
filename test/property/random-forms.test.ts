import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { checkDigits, type Form, formNames, forms } from '../../shared/rotators/random/forms.js'
import { wishOf } from '../../shared/rotators/random/policy.js'
import { parseRandomValue, renderRandomValue } from '../../shared/rotators/random/value.js'
import { FakeEnv } from '../harness/fake-env.js'

const many = (form: Form, size = form.size?.default ?? 0, prefix = 'key'): readonly string[] => {
  const env = new FakeEnv('forms')
  return Array.from({ length: 500 }, () => form.make(env.random, size, prefix))
}

describe('the forms of self-issued keys', () => {
  for (const name of formNames) {
    it(`${name}: of its own form, no two alike`, () => {
      const all = many(forms[name])
      assert.equal(new Set(all).size, all.length)
      for (const one of all) assert.ok(forms[name].has(one, 'key'), one)
    })
  }

  it('have exactly the size that is asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 256 }), (size) => {
        for (const [form, decode] of [
          [forms.hex, 'hex'],
          [forms.base64, 'base64'],
          [forms.token, 'base64url'],
        ] as const)
          assert.equal(Buffer.from(many(form, size)[0] ?? '', decode).length, size)
      }),
      { numRuns: 20 },
    )
    assert.equal(many(forms.passphrase, 15)[0]?.split('-').length, 15)
    assert.equal(Buffer.from((many(forms.webhook, 24)[0] ?? '').slice('whsec_'.length), 'base64').length, 24)
  })

  it('draw every character of their alphabet alike', () => {
    const counts = new Map<string, number>()
    for (const key of many(forms['api-key'])) for (const one of key.slice(4, -6)) counts.set(one, (counts.get(one) ?? 0) + 1)
    const expected = (500 * 30) / 62
    assert.equal(counts.size, 62)
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    assert.ok(chiSquare < 115, String(chiSquare)) // 61 degrees of freedom: one in 30,000
  })

  it('an API key says by itself that a character was changed', () => {
    const [key = ''] = many(forms['api-key'], 0, 'acme_live')
    assert.match(key, /^acme_live_[0-9A-Za-z]{36}$/)
    assert.equal(checkDigits('123456789').length, 6)
    for (let at = 'acme_live_'.length; at < key.length; at++) {
      const other = `${key.slice(0, at)}${key[at] === 'x' ? 'y' : 'x'}${key.slice(at + 1)}`
      assert.ok(!forms['api-key'].has(other, 'acme_live'), `${at}`)
    }
  })

  it('refuse what a form does not have, by the name of the policy', () => {
    const wrong: readonly (readonly [Policy, RegExp])[] = [
      [{ 'keyturn-form': 'rot13' }, /no form "rot13"/],
      [{ 'keyturn-form': 'uuid', 'keyturn-size': '32' }, /one length/],
      [{ 'keyturn-form': 'hex', 'keyturn-size': '8' }, /16 to 256 bytes/],
      [{ 'keyturn-form': 'webhook', 'keyturn-size': '65' }, /24 to 64 bytes/],
      [{ 'keyturn-form': 'passphrase', 'keyturn-size': '5' }, /12 to 24 words/],
    ]
    for (const [policy, says] of wrong) assert.throws(() => wishOf(policy), { code: 'bad_policy', message: says })
  })
})

describe('the value of a self-issued key', () => {
  const overlap = { 'keyturn-strategy': 'overlap' }
  const parse = (text: string, policy: Policy = {}) => parseRandomValue(new SecretText(text), policy)

  it('is the whole text, or the one field that is called so; else the policy names it', () => {
    assert.equal(parse('abc').key.reveal(), 'abc')
    assert.equal(parse('{"a":1,"api_key":"abc"}').field, 'api_key')
    assert.equal(parse('{"token":"t","key":"k"}', { 'keyturn-field': 'token' }).key.reveal(), 't')
    assert.throws(() => parse('{"token":"t","key":"k"}'), { code: 'bad_policy', message: /both key and token/ })
    assert.throws(() => parse('{"other":"t"}'), { code: 'bad_policy', field: 'keyturn-field' })
    assert.throws(() => parse('{"token":7}'), { code: 'bad_value', field: 'token' })
    assert.throws(() => parse('abc', overlap), { code: 'bad_value', message: /overlap needs a place/ })
    assert.throws(() => parse('abc', { 'keyturn-field': 'key' }), { code: 'bad_value' })
  })

  it('every other byte stays; what was not there comes at the end', () => {
    const text = '{ "n": 1.00,\n  "key" : "old",\t"z":[1, 2] }'
    const rendered = renderRandomValue(new SecretText(text), { field: 'key', key: new SecretText('new"\\') }).reveal()
    assert.equal(rendered, text.replace('"old"', '"new\\"\\\\"'))
    const both = { field: 'key', key: new SecretText('new'), previous: new SecretText('old'), id: 'a1' }
    const grown = renderRandomValue(new SecretText(text), both).reveal()
    assert.deepEqual(JSON.parse(grown), { n: 1, key: 'new', z: [1, 2], key_previous: 'old', key_id: 'a1' })
    assert.ok(grown.includes('"n": 1.00'))
  })
})
