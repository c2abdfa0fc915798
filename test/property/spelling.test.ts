import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { structureOf } from '../../shared/core/shapes/structure.js'
import { spellingOf, writeAs } from '../../shared/core/spelling.js'
import { containers, keysOf } from '../harness/keys.js'

const random = (count: number): Uint8Array => randomBytes(count)
const readAs = (text: string) => {
  const spelling = spellingOf(text)
  if (typeof spelling === 'string') throw new Error(`${spelling}: ${text}`)
  return spelling
}

describe('the spelling of a key', () => {
  for (const [name, [make, looks]] of Object.entries(keysOf))
    it(`${name}: the same after fifty rotations, and none begins with a hyphen`, () => {
      for (const seed of ['one', 'two', 'three']) {
        let key = make(seed)
        const { length } = key
        const spelling = readAs(key)
        for (let turn = 0; turn < 50; turn++) {
          const next = writeAs(readAs(key), random)
          assert.match(next, looks)
          assert.equal(next.length, length)
          assert.notEqual(next, key)
          assert.ok(!next.startsWith('-') && structureOf(next) === undefined)
          assert.deepEqual(readAs(next), spelling, 'no rotation narrows it')
          key = next
        }
      }
    })

  it('base64 ends in whole bytes, as a strict reader wants it', () => {
    for (const name of ['a Fernet key', 'base64 with padding', 'base64 with two signs of padding', 'base64 without padding']) {
      const [make] = keysOf[name] ?? []
      for (let turn = 0; turn < 50; turn++) {
        const next = writeAs(readAs(make?.(`${turn}`) ?? ''), random)
        const encoding = /[-_]/.test(next) || name === 'a Fernet key' ? 'base64url' : 'base64'
        assert.equal(Buffer.from(next, encoding).toString(encoding).replaceAll('=', ''), next.replaceAll('=', ''), name)
      }
    }
  })

  it('a key with several readings is followed by one that fits each of them', () => {
    for (let turn = 0; turn < 50; turn++) assert.match(writeAs(readAs('Ab1'.repeat(14)), random), /^[0-9A-Za-z]{42}$/)
    for (let turn = 0; turn < 50; turn++) assert.match(writeAs(readAs('ab'.repeat(32)), random), /^[0-9a-f]{64}$/)
  })

  it('is not guessed: too short, or with signs whose place may matter', () => {
    for (const text of ['changeme', 'hunter2', '0123456789', 'the-old-one'])
      assert.equal(spellingOf(text), 'it is shorter than 64 bits', text)
    for (const text of [
      'C:\\keys\\one-0123456789',
      'a0123456789.b0123456789abc',
      '100%25of%20a0123456789bcd',
      'schlüssel-0123456789-abcdef',
      "it's-0123456789abcdef",
    ])
      assert.equal(spellingOf(text), 'it has signs whose place may matter', text)
  })

  it('draws every character of its alphabet alike', () => {
    const counts = new Map<string, number>()
    const spelling = readAs(keysOf['a secret_key_base of Rails']?.[0]('x') ?? '')
    for (let turn = 0; turn < 400; turn++) for (const one of writeAs(spelling, random)) counts.set(one, (counts.get(one) ?? 0) + 1)
    const expected = (400 * 128) / 16
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    assert.equal(counts.size, 16)
    assert.ok(chiSquare < 55, String(chiSquare)) // 15 degrees of freedom: less than one in 100,000
  })
})

describe('a container is not a key', () => {
  for (const [name, text] of Object.entries(containers))
    it(name, () => assert.ok(structureOf(text) !== undefined && structureOf(` ${text}\n`) !== undefined))

  it('a key is not a container', () => {
    for (const [name, [make]] of Object.entries(keysOf))
      for (let turn = 0; turn < 100; turn++) assert.equal(structureOf(make(`${turn}`)), undefined, `${name} ${turn}: ${make(`${turn}`)}`)
    assert.equal(structureOf('Canary0123456789\n'), undefined, 'one line end is not a second line')
  })
})
