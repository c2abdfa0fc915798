import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Token, VersionId } from '../../shared/core/ports/words.js'
import { followersOf } from '../../shared/core/unfenced/line.js'
import { type Intent, type Unordered, unorderedLine } from '../../shared/core/unfenced/unordered.js'

const id = (text: string): VersionId => text as VersionId
/** A version of a second; with a base it is ours. */
const version = (name: string, second: number, base?: string): Unordered => ({
  id: id(name),
  createdAt: second * 1000,
  madeAt: second * 1000,
  hasValue: true,
  ...(base === undefined ? {} : { base: id(base), ours: `token of ${name}` as Token }),
})
const markOf = async ({ id, ours }: Unordered): Promise<string> => ours ?? `of nobody: ${id}`
const line = (versions: readonly Unordered[], newest?: string, intent?: Intent) =>
  unorderedLine({ versions, markOf, ...(newest === undefined ? {} : { newest: id(newest) }), ...(intent === undefined ? {} : { intent }) })
async function order(...of: Parameters<typeof line>): Promise<string> {
  const it = line(...of)
  const infos = await Promise.all(it.listed.map(it.infoOf))
  return infos.map((info) => info.id).join(' ')
}
const intent = (base: string, ...before: string[]): Intent => ({ base: id(base), before: before.map(id) })

describe('versions whose ids have no order', () => {
  it('go by the seconds of the platform, and the newest is the last one whatever those say', async () => {
    assert.equal(await order([version('c', 3), version('a', 1), version('b', 2)]), 'a b c')
    assert.equal(await order([version('z', 5), version('a', 5), version('m', 5)], 'm'), 'a z m')
    assert.equal(await order([version('a', 9), version('b', 2)], 'b'), 'a b')
  })

  it('within a second each follows what it names as its base', async () => {
    assert.equal(await order([version('a', 5, 'b'), version('b', 5, 'c'), version('c', 5)]), 'c b a')
    assert.equal(await order([version('a', 5, 'b'), version('b', 4)]), 'b a')
    assert.equal(await order([version('a', 4, 'b'), version('b', 5)]), 'a b', 'a base that is younger is a lie of somebody')
  })

  it('within a second what a later one names as its base is the last', async () => {
    for (const base of ['a', 'm', 'z']) {
      const others = ['a', 'm', 'z'].filter((name) => name !== base)
      const all = [version('later', 6, base), ...['z', 'a', 'm'].map((name) => version(name, 5))]
      assert.equal(await order(all, 'later'), [...others, base, 'later'].join(' '))
    }
    assert.equal(await order([version('later', 6, 'b'), version('b', 5, 'y'), version('y', 5), version('z', 5)]), 'z y b later')
    const both = [version('later', 6, 'x'), version('r', 5), version('x', 5, 'r'), version('y', 5, 'r')]
    assert.equal(await order(both), 'r y x later', 'of two that follow the same one, too')
  })

  it('none of them is left out, even where somebody wrote bases that name each other', async () => {
    assert.equal(await order([version('a', 5, 'b'), version('b', 5, 'a'), version('c', 5, 'c')]), 'a b c')
  })

  it('what was not listed when the intent was noted came after base, in the same second and with an earlier one, too', async () => {
    const [old, base] = [version('old', 4), version('base', 5)]
    for (const second of [4, 5, 6]) {
      const theirs = version('0-theirs', second)
      const ours = version('ours', 5, 'base')
      const found = line([theirs, ours, base, old], 'ours', intent('base', 'base', 'old'))
      const followers = await followersOf(found, found.numberOf(id('base')) ?? 0, 'token of ours')
      assert.deepEqual([followers.ours, followers.others], [found.numberOf(id('ours')), true], String(second))
    }
  })

  it('what was listed then came before base, though it has the same second', async () => {
    const all = ['w', 'x', 'y'].map((name) => version(name, 5))
    const found = line([...all, version('base', 5), version('ours', 5, 'base')], 'ours', intent('base', 'w', 'x', 'y', 'base'))
    const followers = await followersOf(found, found.numberOf(id('base')) ?? 0, 'token of ours')
    assert.deepEqual([followers.others, followers.endsWithOurs], [false, true])
  })

  it('nothing follows a base that is still the newest, even if a listing had not shown all that was there before', async () => {
    const found = line([version('unlisted', 5), version('base', 5)], 'base', intent('base', 'base'))
    assert.equal(await order([version('unlisted', 5), version('base', 5)], 'base', intent('base', 'base')), 'unlisted base')
    assert.equal((await followersOf(found, found.numberOf(id('base')) ?? 0, 'ours')).others, false)
  })

  it('the order does not depend on that of the listing', async () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[0-9a-f]{2}$/), { minLength: 1, maxLength: 12 })
    const listing = names.chain((ids) =>
      fc.record({
        versions: fc.tuple(
          ...ids.map((name) =>
            fc
              .record({ second: fc.integer({ min: 1, max: 3 }), base: fc.option(fc.constantFrom(...ids)) })
              .map(({ second, base }) => version(name, second, base ?? undefined)),
          ),
        ),
        newest: fc.option(fc.constantFrom(...ids)),
        before: fc.subarray(ids),
        base: fc.constantFrom(...ids),
      }),
    )
    await fc.assert(
      fc.asyncProperty(listing, fc.infiniteStream(fc.nat()), async ({ versions, newest, before, base }, keys) => {
        const shuffled = versions.map((one) => ({ one, key: keys.next().value as number })).sort((a, b) => a.key - b.key)
        const of = (all: readonly Unordered[]) => order(all, newest ?? undefined, intent(base, ...before, base))
        const found = await of(versions)
        assert.equal(await of(shuffled.map(({ one }) => one)), found)
        assert.equal(new Set(found.split(' ')).size, versions.length)
      }),
    )
  })
})
