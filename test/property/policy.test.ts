import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { deriveToken, isToken } from '../../shared/core/ids.js'
import { inWindow, parseDuration, parsePolicy, parseWindow, showDuration, type Window } from '../../shared/core/policy/index.js'
import type { SecretRef, VersionId } from '../../shared/core/ports/words.js'
import { splitRef, storeKind } from '../../shared/core/refs.js'
import { policyKeys } from '../../shared/rotators/postgres/policy.js'

const parse = (policy: Record<string, string>, shortGrace = false) => parsePolicy(policy, { own: policyKeys, shortGrace })
const windowOf = (text: string): Window => {
  const window = parseWindow(text)
  if (typeof window === 'string') throw new Error(window)
  return window
}

describe('policy', () => {
  it('names the nearest known key, a rotator’s own included', () => {
    for (const [key, near] of [
      ['keyturn-garce', 'grace'],
      ['keyturn-widnow', 'window'],
      ['keyturn-pari', 'pair'],
      ['grace', 'grace'],
    ] as const) {
      assert.throws(
        () => parse({ [key]: '1h' }),
        (cause: unknown) =>
          (cause as { code: string }).code === 'bad_policy' &&
          (cause as { field: string }).field === key &&
          (cause as { next: string }).next.includes(`keyturn-${near}`),
      )
    }
  })

  it('takes exactly the characters that every cloud allows in a tag', () => {
    const legal = /^[A-Za-z0-9 +\-=._:/@]$/
    for (let code = 0; code < 256; code++) {
      const character = String.fromCharCode(code)
      const act = () => parse({ 'keyturn-owner': `x${character}` })
      if (legal.test(character)) act()
      else assert.throws(act, { code: 'bad_policy', field: 'keyturn-owner' })
    }
    assert.throws(() => parse({ 'keyturn-owner': 'x'.repeat(257) }), { code: 'bad_policy' })
    assert.throws(() => parse({ 'keyturn-owner': '' }), { code: 'bad_policy' })
  })

  it('refuses what contradicts itself', () => {
    assert.throws(() => parse({ 'keyturn-every': '1h', 'keyturn-grace': '2h' }), { code: 'bad_policy', field: 'keyturn-every' })
    assert.throws(() => parse({ 'keyturn-every': '1h' }), { code: 'bad_policy' }) // the default grace is an hour
    assert.throws(() => parse({ 'keyturn-grace': '10s' }), { code: 'bad_policy', field: 'keyturn-grace' })
    assert.equal(parse({ 'keyturn-grace': '10s' }, true).graceMs, 10_000)
    for (const [key, value] of [
      ['strategy', 'both'],
      ['grace', '1 hour'],
      ['mode', 'off'],
      ['hash', 'md5'],
      ['at', 'host'],
      ['drain', 'never'],
      ['window', 'always'],
      ['admin', 'pg'],
    ]) {
      assert.throws(() => parse({ [`keyturn-${key}`]: value ?? '' }), { code: 'bad_policy', field: `keyturn-${key}` })
    }
  })

  it('has defaults', () => {
    const { graceMs, mode, consumers } = parse({})
    assert.deepEqual([graceMs, mode, consumers], [3_600_000, 'auto', []])
  })

  it('reads durations, and shows them so that they can be read again', () => {
    assert.deepEqual(['90d', '12h', '30m', '45s', '0s', '-1h', '1.5h', '1w', '', '999999999d'].map(parseDuration), [
      7_776_000_000,
      43_200_000,
      1_800_000,
      45_000,
      ...Array(6).fill(undefined),
    ])
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 59 }), fc.constantFrom('s', 'm'), (count, unit) =>
        assert.equal(showDuration(parseDuration(`${count}${unit}`) ?? 0), `${count}${unit}`),
      ),
    )
  })
})

describe('window', () => {
  it('knows days, hours and zones, and crosses midnight', () => {
    const night = windowOf('sat 22:00-04:00 Europe/Berlin')
    const at = (iso: string) => inWindow(night, Date.parse(iso))
    assert.deepEqual(['2026-01-03T20:59Z', '2026-01-03T21:00Z', '2026-01-04T02:59Z', '2026-01-04T03:00Z', '2026-01-03T02:00Z'].map(at), [
      false,
      true,
      true,
      false,
      false,
    ])
    assert.ok(inWindow(windowOf('02:00-05:00'), Date.parse('2026-01-07T02:00Z')))
  })

  it('follows the clock on the wall through the changes of summer time', () => {
    const hour = windowOf('sun 02:00-03:00 Europe/Berlin')
    const minutes = (day: string) =>
      Array.from({ length: 24 * 60 }, (_, minute) => Date.parse(`${day}T00:00Z`) + minute * 60_000).filter((time) => inWindow(hour, time))
        .length
    assert.deepEqual([minutes('2026-03-22'), minutes('2026-03-29'), minutes('2026-10-25')], [60, 0, 120])
  })

  it('says what is wrong', () => {
    for (const text of ['', 'sat', '25:00-26:00', '02:00-02:00', '02:00-05:00 Europe/Nowhere', 'sat 02:00-05:00 UTC more', '2-5'])
      assert.equal(typeof parseWindow(text), 'string', text)
  })
})

describe('tokens and refs', () => {
  const ref = (key: string): SecretRef => ({ store: storeKind('file'), key, shown: `file:${key}`, name: key })
  it('the same question has the same token; any other has another', () => {
    const token = deriveToken('rotate', ref('db'), 'v1' as VersionId, 0)
    assert.ok(isToken(token))
    assert.equal(deriveToken('rotate', ref('db'), 'v1' as VersionId, 0), token)
    const others = [
      deriveToken('put', ref('db'), 'v1' as VersionId, 0),
      deriveToken('rotate', ref('db2'), 'v1' as VersionId, 0),
      deriveToken('rotate', ref('db'), 'v2' as VersionId, 0),
      deriveToken('rotate', ref('db'), 'v1' as VersionId, 1),
      deriveToken('rotate', ref('db'), null, 0),
    ]
    assert.equal(new Set([token, ...others]).size, 6)
  })

  it('a ref names a store, or the default one', () => {
    assert.deepEqual(splitRef('file:a/b:c'), { store: storeKind('file'), name: 'a/b:c' })
    assert.deepEqual(splitRef('db', storeKind('file')), { store: storeKind('file'), name: 'db' })
    for (const text of ['', 'file:', 'db']) assert.throws(() => splitRef(text), { code: 'bad_event', field: 'ref' })
  })
})
