import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RotationError } from '../../shared/core/errors.js'
import { commonKeys, parseDuration, parsePolicy, policyText, showDuration } from '../../shared/core/policy/index.js'
import type { PolicyKey } from '../../shared/core/ports/rotator.js'
import { policyKeys } from '../../shared/rotators/postgres/policy.js'

const own: readonly PolicyKey[] = [
  { name: 'pair', help: 'the two logins', check: (value) => (/^\S+ \S+$/.test(value) ? undefined : 'must name two logins') },
  { name: 'colour', default: 'red', help: 'which colour', check: () => undefined },
  ...policyKeys.filter(({ name }) => ['hash', 'at'].includes(name)),
]
const parse = (policy: Record<string, string>, shortGrace = false) => parsePolicy(policy, { own, shortGrace })
const refusal = (policy: Record<string, string>, shortGrace = false): RotationError => {
  try {
    parse(policy, shortGrace)
  } catch (cause) {
    assert.ok(cause instanceof RotationError && cause.code === 'bad_policy' && cause.next !== '')
    return cause
  }
  return assert.fail(`accepted: ${JSON.stringify(policy)}`)
}

describe('an unknown key', () => {
  it('is answered with the known one that is one letter away', () => {
    for (const { name } of [...commonKeys, ...own]) {
      const places = Array.from({ length: name.length }, (_, index) => index)
      const typos = places.flatMap((at) => [
        name.slice(0, at) + name.slice(at + 1),
        `${name.slice(0, at)}q${name.slice(at + 1)}`,
        `${name.slice(0, at)}q${name.slice(at)}`,
      ])
      for (const typo of typos) {
        const { field, next, message } = refusal({ [`keyturn-${typo}`]: '1h' })
        assert.equal(field, `keyturn-${typo}`)
        assert.ok(message.includes(`keyturn-${typo}`))
        assert.match(next, new RegExp(`keyturn-${name}\\b`), typo)
      }
    }
  })

  it('is one that lacks the prefix, or has another', () => {
    for (const key of ['grace', 'Keyturn-grace', 'keyturn_grace', 'keyturn.grace', 'keyturn/grace', '__proto__', ''])
      assert.equal(refusal(Object.fromEntries([[key, '2h']])).field, key)
  })

  it('is let through while the rotator is not known, but not with an illegal value', () => {
    parsePolicy({ 'keyturn-whatever': 'x' }, { shortGrace: false })
    assert.throws(() => parsePolicy({ 'keyturn-whatever': 'x;y' }, { shortGrace: false }), {
      code: 'bad_policy',
      field: 'keyturn-whatever',
    })
  })

  it('says what it is called now where it was renamed, also while the rotator is not known', () => {
    for (const options of [{ own, shortGrace: false }, { shortGrace: false }])
      assert.throws(() => parsePolicy({ 'keyturn-targets': 'web' }, options), {
        code: 'bad_policy',
        field: 'keyturn-targets',
        message: /is now called keyturn-consumers/,
        next: /targets= consumers=/,
      })
  })

  it('is another rotator’s own one', () =>
    assert.throws(() => parsePolicy({ 'keyturn-pair': 'a b' }, { own: [], shortGrace: false }), { field: 'keyturn-pair' }))
})

describe('a value', () => {
  it('is made of the characters that every cloud takes in a tag, wherever they stand', () => {
    const legal = new Set('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 +-=._:/@')
    const others = ['\u0085', '\u00a0', '\u017f', '\u0130', '\u2028', '\u202e', '\ufeff', 'ü', '５', '\u{1f511}', '\ud800']
    const ascii = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
    for (const character of [...ascii, ...others]) {
      for (const text of [character, `${character}x`, `x${character}x`, `x${character}`]) {
        if (legal.has(character)) assert.equal(parse({ 'keyturn-owner': text }).owner, text)
        else assert.equal(refusal({ 'keyturn-owner': text }).field, 'keyturn-owner')
      }
    }
  })

  it('has 1 to 256 characters', () => {
    for (const length of [1, 256]) parse({ 'keyturn-owner': 'x'.repeat(length) })
    for (const length of [0, 257, 10_000]) refusal({ 'keyturn-owner': 'x'.repeat(length) })
  })

  it('is checked by the rotator whose key it is, and has its default', () => {
    parse({ 'keyturn-pair': 'a b' })
    const { field, message, next } = refusal({ 'keyturn-pair': 'a' })
    assert.equal(field, 'keyturn-pair')
    assert.ok(message.includes('must name two logins') && next.includes('the two logins'))
    const [pair, colour] = own
    assert.ok(pair && colour)
    assert.deepEqual(
      [policyText({}, pair), policyText({}, colour), policyText({ 'keyturn-colour': 'blue' }, colour)],
      [undefined, 'red', 'blue'],
    )
  })

  it('is refused with the key where the key has a grammar', () => {
    const wrong: Readonly<Record<string, readonly string[]>> = {
      rotator: ['Postgres', '1x', 'a b', '-a'],
      strategy: ['both', 'Replace', 'replace alternate'],
      every: ['90', 'd', '0d', '1.5h', '90 d', '1w', '+1d', '-1d', '1D', '3651d'],
      window: [
        'always',
        'sat',
        '2-5',
        'sat 2:00-5:00',
        '02:00-05:00 Mars/Olympus',
        '02:00-02:00',
        '24:00-25:00',
        '02:00-05:60',
        '02:00-24:01',
      ],
      grace: ['1 hour', '1h30m', 'P1D', '0s'],
      mode: ['off', 'AUTO', 'auto manual'],
      admin: ['pg', ':x', 'file:', 'File:x'],
      drain: ['never', 'force', 'force after', 'force after 0d', 'force after 7'],
      hash: ['md5', 'SCRAM'],
      at: ['host', 'u@h', 'u@h/', '@h/d', 'u@/d', 'u@h:x/d', 'u@h:123456/d', 'u@h/d/e'],
    }
    for (const [name, values] of Object.entries(wrong))
      for (const value of values) assert.equal(refusal({ [`keyturn-${name}`]: value }, true).field, `keyturn-${name}`, `${name}=${value}`)
  })

  it('is understood', () => {
    const settings = parse({
      'keyturn-rotator': 'postgres',
      'keyturn-strategy': 'alternate',
      'keyturn-every': '90d',
      'keyturn-grace': '2h',
      'keyturn-mode': 'manual',
      'keyturn-admin': 'file:pg-admin',
      'keyturn-consumers': 'one  two three',
      'keyturn-window': 'mon 22:00-24:00 Europe/Berlin',
      'keyturn-drain': 'force after 7d',
      'keyturn-at': 'u@h:5432/d',
    })
    assert.deepEqual(settings, {
      rotator: 'postgres',
      strategy: 'alternate',
      everyMs: 90 * 86_400_000,
      graceMs: 7_200_000,
      mode: 'manual',
      admin: 'file:pg-admin',
      forceAfterMs: 7 * 86_400_000,
      consumers: ['one', 'two', 'three'],
      companions: [],
      window: { days: [1], fromMinute: 1320, toMinute: 1440, zone: 'Europe/Berlin' },
    })
    assert.deepEqual(parse({}), { graceMs: 3_600_000, mode: 'auto', consumers: [], companions: [] })
    assert.deepEqual(parse({ 'keyturn-consumers': 'none' }).consumers, [])
  })
})

describe('a policy that contradicts itself', () => {
  it('rotates before the grace is over', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 100_000 }), fc.integer({ min: 1, max: 100_000 }), (grace, every) => {
        const policy = { 'keyturn-grace': `${grace}s`, 'keyturn-every': `${every}s` }
        if (every <= grace) assert.equal(refusal(policy).field, 'keyturn-every')
        else assert.equal(parse(policy).everyMs, every * 1000)
      }),
    )
    assert.equal(refusal({ 'keyturn-every': '60m' }).field, 'keyturn-every', 'the default grace counts')
    assert.equal(refusal({ 'keyturn-grace': '1s', 'keyturn-every': '1s' }, true).field, 'keyturn-every', 'the switch does not lift this')
    parse({ 'keyturn-every': '61m' })
  })

  it('has a grace under a minute without the switch', () => {
    for (const grace of ['1s', '59s']) {
      assert.equal(refusal({ 'keyturn-grace': grace }).field, 'keyturn-grace')
      assert.ok(refusal({ 'keyturn-grace': grace }).next.includes('KEYTURN_SHORT_GRACE'))
      assert.ok(parse({ 'keyturn-grace': grace }, true).graceMs < 60_000)
    }
    for (const grace of ['60s', '1m']) assert.equal(parse({ 'keyturn-grace': grace }).graceMs, 60_000)
  })
})

describe('durations', () => {
  const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

  it('are a whole number and one unit, up to ten years', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999 }), fc.constantFrom('s', 'm', 'h', 'd'), (count, unit) => {
        const ms = count * unitMs[unit]
        assert.equal(parseDuration(`${count}${unit}`), ms <= 3650 * unitMs.d ? ms : undefined)
      }),
    )
    assert.deepEqual([parseDuration('3650d'), parseDuration('3651d'), parseDuration('87601h')], [3650 * unitMs.d, undefined, undefined])
    for (const text of ['', ' 1d', '1d ', '1d\n', '01d', '0d', '1d1h', '1', 'd', '１d', '1e3s', 'Infinityd', '1000000000s'])
      assert.equal(parseDuration(text), undefined, JSON.stringify(text))
  })

  it('are shown by their two largest units, losing less than one of the next', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3650 * unitMs.d }), (ms) => {
        const parts = showDuration(ms).split(' ')
        assert.ok(parts.length <= 2)
        const sum = parts.reduce((total, part) => total + (part === '0s' ? 0 : (parseDuration(part) ?? Number.NaN)), 0)
        assert.ok(sum <= ms && ms - sum < (ms >= unitMs.d ? unitMs.d : ms >= unitMs.h ? unitMs.h : unitMs.m))
      }),
    )
    assert.deepEqual([0, 999, 90_061_000, 3_600_000].map(showDuration), ['0s', '0s', '1d 1h', '1h'])
  })
})
