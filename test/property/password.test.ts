import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { checkRule, defaultRule, generatePassword } from '../../shared/core/password.js'
import { encode } from '../../shared/core/shapes/url.js'
import { FakeEnv } from '../harness/fake-env.js'

const generated = (count: number): readonly string[] => {
  const env = new FakeEnv('passwords')
  return Array.from({ length: count }, () => generatePassword(defaultRule, env.random))
}

describe('password generator', () => {
  it('keeps length, alphabet, first character and classes for any seed and rule', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 22, max: 128 }), (seed, length) => {
        const text = generatePassword({ ...defaultRule, length }, new FakeEnv(seed).random)
        assert.equal(text.length, length)
        assert.match(text, /^[A-Za-z][A-Za-z0-9_-]*$/)
        for (const group of [/[A-Z]/, /[a-z]/, /[0-9]/]) assert.match(text, group)
      }),
    )
  })

  it('never repeats itself', () => assert.equal(new Set(generated(2000)).size, 2000))

  it('draws each character equally often', () => {
    const texts = generated(4000)
    // The first character is a letter, so letters have a little more; the others are compared among themselves.
    const rest = texts.map((text) => text.slice(1)).join('')
    const expected = rest.length / defaultRule.alphabet.length
    const chi = [...defaultRule.alphabet].reduce((sum, character) => sum + (rest.split(character).length - 1 - expected) ** 2 / expected, 0)
    assert.ok(chi < 110, `chi-square ${chi} with 63 degrees of freedom; 1 in 5,000 is above 110`)
  })

  it('throws the biased tail of a byte away instead of folding it', () => {
    const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ' // 256 % 52 = 48: bytes from 208 on are biased
    let calls = 0
    const random = (count: number): Uint8Array => new Uint8Array(count).fill(calls++ % 2 === 0 ? 255 : 1)
    assert.match(generatePassword({ length: 30, alphabet, classes: [] }, random), /^b+$/)
  })

  it('needs no quoting in a URL, YAML, .pgpass or ODBC', () => {
    for (const text of generated(500)) {
      assert.equal(encode(text), text)
      assert.equal(encodeURIComponent(text), text)
      assert.doesNotMatch(text, /[:\\;{}'"#&*!|>%@`\s]/)
      assert.ok(Number.isNaN(Number(text)) && !/^(true|false|null|yes|no|on|off|~)$/i.test(text))
    }
  })

  it('comes through a shell without quotes', () => {
    const texts = generated(50)
    const out = execFileSync('sh', ['-c', `printf '%s\\n' ${texts.join(' ')}`], { encoding: 'utf8' })
    assert.deepEqual(out.trim().split('\n'), texts)
  })

  it('refuses a rule that is weak, biased or impossible', () => {
    const wrong = [
      { ...defaultRule, length: 12 },
      { ...defaultRule, length: 32.5 },
      { ...defaultRule, length: 1000 },
      { ...defaultRule, alphabet: `${defaultRule.alphabet}a` },
      { ...defaultRule, alphabet: `${defaultRule.alphabet}é` },
      { ...defaultRule, alphabet: '0123456789', length: 100 },
      { ...defaultRule, classes: ['!'] },
    ]
    for (const rule of wrong) assert.throws(() => checkRule(rule), { code: 'bad_policy' })
    checkRule(defaultRule)
  })
})
