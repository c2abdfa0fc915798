import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Journal, OpenRotation } from '../../shared/core/ports/store.js'
import type { Token, VersionId } from '../../shared/core/ports/words.js'
import {
  copiesOlder,
  currentOf,
  type Found,
  followersOf,
  type Line,
  notedNumbers,
  numbersOf,
  runOf,
} from '../../shared/core/unfenced/line.js'
import { isExplained, type StagedCopy, viewOf } from '../../shared/core/unfenced/view.js'

/** `a b - c`: the marks of versions 1, 2 and 4, where 3 is gone. `listed`: what a listing shows of them. `asked`: the numbers that were looked at. */
function lineOf(text: string, listed?: readonly number[]) {
  const marks = text.split(' ')
  const asked: number[] = []
  const found = (number: number): Found => {
    const mark = marks[number - 1]
    if (mark === undefined) return 'none'
    return mark === '-' ? 'gone' : { mark }
  }
  const line: Line = {
    listed: listed ?? marks.flatMap((mark, index) => (mark === '-' ? [] : [index + 1])),
    look: async (number) => {
      asked.push(number)
      return found(number)
    },
    numberOf: (id) => Number(id),
    infoOf: async (number) => ({ id: `${number}` as VersionId, createdAt: number * 1000, hasValue: true }),
  }
  return { line, asked }
}
const id = (number: number) => `${number}` as VersionId
const [mine, theirs] = ['mine', 'theirs'] as unknown as readonly [Token, Token]
const rotation = (rest: Partial<OpenRotation>): Journal => ({
  retiring: [],
  rotation: { token: mine, kind: 'rotate', base: id(1), holder: 'h', attempt: 1, leaseUntil: 0, refusals: 0, ...rest },
})
const staged = (mark: string, base: number, rest: Partial<StagedCopy> = {}): StagedCopy => ({
  ...{ id: 's' as VersionId, token: mine, base: id(base), createdAt: 1, hasValue: true, mark },
  ...rest,
})
const current = async (text: string, noted: readonly number[] = []) => {
  const { line } = lineOf(text)
  return currentOf(line, await numbersOf(line, noted), noted)
}

describe('what is current in a line of versions', () => {
  const cases: readonly (readonly [what: string, text: string, noted: readonly number[], number: number | undefined])[] = [
    ['nothing', '-', [], undefined],
    ['one version', 'a', [], 1],
    ['the newest', 'a b c', [], 3],
    ['the oldest of its copies', 'a b b b', [], 2],
    ['not beyond a gap', 'a b - b', [], 4],
    ['not beyond another payload', 'b a b', [], 3],
    ['never older than what was published or announced', 'a b b', [3], 3],
    ['whatever an older note says', 'a b b', [1], 2],
    ['also where what was noted is not there any more', 'a b', [7], 2],
  ]
  for (const [what, text, noted, number] of cases) it(what, async () => assert.equal(await current(text, noted), number))

  it('asks nothing but the next number where the journal knows the newest', async () => {
    const { line, asked } = lineOf('a b c')
    assert.equal(await currentOf(line, await numbersOf(line, [3]), [3]), 3)
    assert.deepEqual(asked, [4])
  })

  it('completes a listing that lags, past what is gone', async () => {
    assert.deepEqual(await numbersOf(lineOf('a b - d e', [1]).line, []), [1, 2, 4, 5])
    assert.deepEqual(await numbersOf(lineOf('a b - d e', [1]).line, [4]), [1, 4, 5])
    assert.deepEqual(await numbersOf(lineOf('a', []).line, []), [1])
  })

  it('knows a copy of something older, and the run around a version', async () => {
    const older = async (text: string, number: number) => {
      const { line } = lineOf(text)
      return copiesOlder(line, await numbersOf(line, []), number)
    }
    assert.deepEqual([await older('a b a', 3), await older('a b c', 3), await older('a', 1)], [true, false, false])
    assert.deepEqual(await runOf(lineOf('a b b b c').line, 3), [2, 3, 4])
    assert.deepEqual(await runOf(lineOf('a b - b c').line, 4), [4])
  })

  it('takes the numbers that the journal knows', () => {
    const { line } = lineOf('a')
    assert.deepEqual(notedNumbers(line, null), [])
    assert.deepEqual(notedNumbers(line, { ...rotation({ published: id(3), base: id(2) }), announced: id(1) }), [3, 2, 1])
    assert.deepEqual(notedNumbers(line, { ...rotation({ base: null }), announced: null }), [])
  })
})

describe('what follows base', () => {
  const cases: readonly (readonly [what: string, text: string, expected: Partial<Awaited<ReturnType<typeof followersOf>>>])[] = [
    ['nothing', 'a', { others: false, endsWithOurs: false }],
    ['ours', 'a s', { ours: 2, others: false, endsWithOurs: true }],
    ['ours, twice', 'a s s', { ours: 2, others: false, endsWithOurs: true }],
    ['somebody else', 'a x', { others: true, endsWithOurs: false }],
    ['ours, and somebody else behind it', 'a s x', { ours: 2, others: true, endsWithOurs: false }],
    ['somebody else, and ours behind it', 'a x s', { ours: 3, others: true, endsWithOurs: true }],
    ['a late copy of base, and ours', 'a a s', { ours: 3, others: false, endsWithOurs: true }],
    ['a copy of base behind somebody else is theirs', 'a x a', { others: true, endsWithOurs: false }],
    ['what is gone is nobody', 'a - s', { ours: 3, others: false, endsWithOurs: true }],
  ]
  for (const [what, text, expected] of cases) it(what, async () => assert.deepEqual(await followersOf(lineOf(text).line, 1, 's'), expected))

  it('the staged value is the same as base: its copy is ours', async () => {
    assert.deepEqual(await followersOf(lineOf('s s').line, 1, 's'), { ours: 2, others: false, endsWithOurs: true })
    assert.deepEqual(await followersOf(lineOf('s').line, 1, 's'), { others: false, endsWithOurs: false })
  })

  it('asks one number where nothing follows', async () => {
    const { line, asked } = lineOf('a')
    await followersOf(line, 1, 's')
    assert.deepEqual(asked, [2])
  })
})

describe('what a state shows', () => {
  const view = (text: string, journal: Journal | null, copies: readonly StagedCopy[] = []) =>
    viewOf({ line: lineOf(text).line, journal, staged: copies })

  it('whose current is: the journal says it, or a staged value of an older base is the same', async () => {
    assert.equal((await view('a b', rotation({ published: id(2) }))).current?.ours, mine)
    assert.equal((await view('a b', null, [staged('b', 1)])).current?.ours, mine)
    assert.equal((await view('a b', null, [staged('b', 2)])).current?.ours, undefined, 'made for current itself')
    assert.equal((await view('a b', rotation({ staged: 's' as VersionId }), [staged('b', 1)])).current?.ours, undefined, 'not sent yet')
    assert.equal((await view('a b', rotation({ staged: 's' as VersionId, intent: true }), [staged('b', 1)])).current?.ours, mine)
  })

  it('what is staged: not what was published or given up; what the intent names, until it is noted', async () => {
    const shown = async (text: string, journal: Journal | null, copy: StagedCopy) => {
      const { pending, loose } = await view(text, journal, [copy])
      return [pending?.id, ...loose.map((one) => one.id)]
    }
    const named = { staged: 's' as VersionId }
    assert.deepEqual(await shown('a', null, staged('b', 1)), [undefined, 's'])
    assert.deepEqual(await shown('a', rotation(named), staged('b', 1)), ['s'])
    assert.deepEqual(await shown('a b c', null, staged('b', 1)), [undefined])
    assert.deepEqual(await shown('a b', rotation({ ...named, intent: true }), staged('b', 1)), ['s'])
    assert.deepEqual(await shown('a b', rotation(named), staged('b', 1)), ['s'], 'somebody copied it')
    assert.deepEqual(await shown('a c', rotation({ published: id(2) }), staged('b', 1)), [undefined])
    assert.deepEqual(await shown('a', { retiring: [], condemned: ['s' as VersionId] }, staged('b', 1)), [undefined])
  })

  it('a value that was kept twice is shown once: the named one, if there is one', async () => {
    const twice = [staged('b', 1, { payload: 'b' }), staged('b', 1, { id: 't' as VersionId, payload: 'b' })]
    const shown = async (journal: Journal | null, copies: readonly StagedCopy[]) => {
      const { pending, loose } = await view('a', journal, copies)
      return [pending?.id, ...loose.map((one) => one.id)]
    }
    assert.deepEqual(await shown(null, twice), [undefined, 's'])
    assert.deepEqual(await shown(rotation({ staged: 't' as VersionId }), twice), ['t'])
    assert.deepEqual(await shown(null, [staged('b', 1), staged('b', 1, { id: 't' as VersionId })]), [undefined, 's', 't'], 'unknown values')
    const others = [staged('b', 1, { payload: 'b' }), staged('c', 1, { id: 't' as VersionId, payload: 'c' })]
    assert.deepEqual(await shown(null, others), [undefined, 's', 't'])
  })

  it('a copy of something older is named only where nothing explains it', async () => {
    assert.equal((await view('a b a', null)).current?.copiesOlder, true)
    assert.equal((await view('a b a', { retiring: [], announced: id(3) })).current?.copiesOlder, undefined)
    assert.equal((await view('a b c', null)).current?.copiesOlder, undefined)
  })

  it('explained: published by us, announced, or under a value that may be set already', () => {
    const state = { current: { id: id(2), createdAt: 1, hasValue: true }, journal: null, loose: [] } as const
    assert.equal(isExplained(state), false)
    assert.equal(isExplained({ ...state, journal: rotation({ published: id(2) }) }), true)
    assert.equal(isExplained({ ...state, journal: { retiring: [], announced: id(2) } }), true)
    assert.equal(isExplained({ ...state, journal: rotation({ base: id(2) }) }), false, 'nothing is kept yet, so nothing is set')
    assert.equal(isExplained({ ...state, pending: staged('s', 2) }), true)
    assert.equal(isExplained({ ...state, loose: [staged('s', 2, { token: theirs })] }), true)
    assert.equal(isExplained({ ...state, loose: [staged('s', 1)] }), false)
  })
})
