import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { Code } from '../../shared/core/ports/errors.js'
import type { Journal, OpenRotation, Retiring, SecretState, Staged, VersionInfo } from '../../shared/core/ports/store.js'
import type { CredentialId, RotationRequest, SecretRef, Token, VersionId } from '../../shared/core/ports/words.js'
import type { Action, Facts } from '../../shared/lifecycle/action.js'
import { decide } from '../../shared/lifecycle/decide.js'
import { rows } from '../../shared/lifecycle/rows.js'

/** Beside every state that a row is for stand its neighbours: one thing is different, and another row must answer. */
const ref: SecretRef = { store: 'memory', key: 'db', shown: 'memory:db' }
const [base, other, kept] = ['v-base', 'v-other', 'v-kept'].map((id) => id as VersionId) as [VersionId, VersionId, VersionId]
const [mine, theirs] = ['token-mine', 'token-theirs'].map((token) => token as Token) as [Token, Token]
const hour = 3_600_000
const now = 1000 * hour

type Question = readonly [state: SecretState, request: RotationRequest, facts: Facts]
interface Asked {
  readonly state?: Partial<SecretState>
  readonly request?: Partial<RotationRequest>
  readonly facts?: Partial<Facts>
}
/** An idle secret that was published long ago, asked now to rotate; and what differs from that. */
const ask = ({ state = {}, request = {}, facts = {} }: Asked): Question => [
  { ref, current: version(base), publishedAt: 0, loose: [], drivenBy: 'engine', policy: {}, journal: null, rev: 'r', ...state },
  { kind: 'rotate', ref: ref.shown, at: now, ...request },
  { now, slots: 1, graceMs: hour, mints: false, journal: true, targets: false, rollback: 'publish', ...facts },
]
function version(id: VersionId, ours?: Token): VersionInfo {
  return { id, createdAt: 1, hasValue: true, ...(ours === undefined ? {} : { ours }) }
}
const staged = (rest: Partial<Staged> = {}): Staged => ({ id: kept, createdAt: 2, hasValue: true, token: mine, base, ...rest })
const journal = (rest: Partial<Journal>): Journal => ({ retiring: [], ...rest })
const rotation = (rest: Partial<OpenRotation> = {}): Journal =>
  journal({ rotation: { token: mine, kind: 'rotate', base, holder: 'h', attempt: 3, leaseUntil: 0, rejects: 0, ...rest } })
const oldest = 'old' as CredentialId
function entry(state: Retiring['state'], notBefore = now - 1, id: CredentialId = oldest): Retiring {
  return { id, version: other, notBefore, state }
}
const retiring = (...entries: Retiring[]): Journal => journal({ retiring: entries })

const go = { do: 'go', kind: 'rotate', base, rejects: 0 } as const
const begin = { ...go, from: 'create' } as const
const done = { do: 'done', version: base } as const
const refuse = (code: Code, why: RegExp) => ({ do: 'refuse', code, why }) as const
type Expected = Exclude<Action, { do: 'refuse' }> | ReturnType<typeof refuse>

type Beside = readonly [what: string, ask: Asked, row: string]
/** Row and what it is about; a state that hits it; and those one step beside it, with the row that answers there. */
type RowCase = readonly [rowAndWhat: string, ask: Asked, action: Expected, ...beside: Beside[]]

const service = (step: RotationRequest['step'] | null, state: Partial<SecretState> = {}, facts: Partial<Facts> = {}): Asked => ({
  state: { drivenBy: 'service', pending: staged(), ...state },
  request: { token: mine, ...(step ? { step } : {}) },
  facts,
})
const empty = { pending: staged({ hasValue: false }) }
const pair = { slots: 2 } as const
const justPublished = { previous: version(other), publishedAt: now - hour + 1 }
const { current: _, ...withoutCurrent } = ask({})[0]

const cases: readonly RowCase[] = [
  [
    '0 a current version that has no value',
    { state: { current: { ...version(base), hasValue: false } } },
    refuse('not_found', /no current/),
    ['it has one', {}, '28'],
  ],
  [
    '0s stuck, even for an emergency and with a value that waits',
    { state: { journal: { ...rotation({ staged: kept }), code: 'stuck' }, pending: staged() }, request: { kind: 'emergency' } },
    refuse('stuck', /neither/),
    ['another code is noted', { state: { journal: journal({ code: 'held' }) } }, '28'],
    ['no code is noted', { state: { journal: rotation({ staged: kept }), pending: staged() } }, '14'],
  ],
  [
    '0s stuck where a service drives',
    service('set', { journal: journal({ code: 'stuck' }) }),
    refuse('stuck', /neither/),
    ['not stuck', service('set'), '7'],
  ],
  [
    '1 finish again after it worked',
    service('finish', { current: version(base, mine) }),
    done,
    ['current came from another token', service('finish', { current: version(base, theirs) }), '7'],
    ['our engine drives', { state: { current: version(base, mine) }, request: { token: mine, step: 'finish' } }, '8'],
  ],
  [
    '2 the pending mark belongs to another rotation',
    service('set', { pending: staged({ token: theirs }) }),
    refuse('token_spent', /another rotation/),
    ['it is of this token', service('set'), '7'],
  ],
  [
    '3 create on an empty placeholder',
    service('create', empty),
    { ...begin, token: mine },
    ['it has a value', service('create'), '6'],
    ['another step', service('set', empty), '4'],
  ],
  [
    '3 create within the grace of a pair is held: the account that it would overwrite is in use',
    service('create', { ...empty, ...justPublished }, pair),
    refuse('held', /outgoing/),
    ['a value is there, so nothing is held any more', service('set', justPublished, pair), '7'],
  ],
  ['4 finish on an empty placeholder', service('finish', empty), refuse('bad_event', /before/), ['test', service('test', empty), '5']],
  ['5 test on an empty placeholder', service('test', empty), { do: 'check' }, ['with a value', service('test'), '7']],
  [
    '6 create again',
    service('create', justPublished, pair),
    { do: 'done', version: kept },
    ['set', service('set', justPublished, pair), '7'],
  ],
  [
    '7 exactly the step that is asked, on the base that the value was made for',
    service('set', { pending: staged({ base: other }), ...justPublished }, pair),
    { ...go, from: 'set', token: mine, base: other, version: kept },
    ['no step', service(null), '7s'],
  ],
  [
    '7s a service never asks for everything at once',
    service(null),
    refuse('bad_event', /one step/),
    ['with another token', { ...service(null), request: { token: theirs } }, '2'],
  ],
  [
    '8 the same token after it was published',
    { state: { current: version(base, mine), journal: null }, request: { kind: 'put', token: mine } },
    done,
    ['no token', { state: { current: version(base, mine) }, request: { kind: 'put' } }, '28'],
    ['only resume', { state: { current: version(base, mine) }, request: { kind: 'resume', token: mine } }, '19'],
    [
      'the journal still says open',
      { state: { current: version(other, mine), journal: rotation({ staged: kept }) }, request: { token: mine } },
      '10',
    ],
  ],
  [
    '8 the journal says which token published',
    { state: { current: version(other), journal: rotation({ published: other }) }, request: { token: mine } },
    { do: 'done', version: other },
    ['it was not published', { state: { current: version(other), journal: rotation() }, request: { token: mine } }, '28'],
  ],
  [
    '9 published, but the store answers with the base as current',
    { state: { journal: rotation({ published: other }) } },
    refuse('conflict', /older/),
    ['current moved', { state: { current: version(other), journal: rotation({ published: other }) } }, '28'],
  ],
  [
    '10 published, bookkeeping missing: finish, also for somebody else',
    { state: { current: version(other, mine), journal: rotation({ staged: kept, intent: true }) }, request: { token: theirs } },
    { ...go, from: 'finish', token: mine, version: kept },
    ['current is another’s', { state: { current: version(other, theirs), pending: staged(), journal: rotation({ staged: kept }) } }, '16'],
  ],
  [
    '11 intent stands: finish only, on the base of the rotation, whoever is current',
    {
      state: { current: version(other), pending: staged(), journal: rotation({ staged: kept, intent: true }) },
      request: { kind: 'resume' },
    },
    { ...go, from: 'finish', token: mine, version: kept },
    ['no intent', { state: { current: version(other), pending: staged(), journal: rotation({ staged: kept }) } }, '16'],
  ],
  [
    '13 a value of this token that was not named',
    { state: { loose: [staged(), staged({ id: other, token: theirs })], journal: rotation() } },
    { do: 'probe', versions: [staged()], leftover: false },
    ['it is of another token and another base', { state: { loose: [staged({ token: theirs, base: other })], journal: rotation() } }, '15'],
    ['another one is named', { state: { pending: staged({ id: other }), loose: [staged()], journal: rotation({ staged: other }) } }, '14'],
  ],
  [
    '14 a stored value is used again, under the token of its rotation',
    { state: { pending: staged(), journal: rotation({ staged: kept, rejects: 2 }) }, request: { token: theirs } },
    { ...go, from: 'set', token: mine, version: kept, rejects: 2 },
    ['base is not current any more', { state: { current: version(other), pending: staged(), journal: rotation() } }, '16'],
  ],
  [
    '14 a value that a person put is never set at the target',
    { state: { pending: staged(), journal: rotation({ staged: kept, kind: 'put' }) }, request: { kind: 'resume' } },
    { ...go, kind: 'put', from: 'test', token: mine, version: kept },
    ['the value was never kept', { state: { journal: rotation({ kind: 'put' }) }, request: { kind: 'resume' } }, '19'],
  ],
  [
    '15 claimed, nothing kept yet: the same rotation makes a value, and nothing holds it',
    { state: { journal: rotation({ rejects: 1 }), ...justPublished }, request: { token: theirs }, facts: { ...pair, frozen: 'x' } },
    { ...begin, token: mine, rejects: 1 },
    ['base is not current any more', { state: { current: version(other), journal: rotation() } }, '28'],
  ],
  [
    '15 a rollback goes on as a rollback',
    { state: { journal: rotation({ kind: 'rollback' }), previous: version(other) } },
    { ...begin, kind: 'rollback', token: mine, value: 'previous' },
    ['an open put without a value', { state: { journal: rotation({ kind: 'put' }), previous: version(other) } }, '28'],
  ],
  [
    '16 somebody published meanwhile: the leftover is looked at, never dropped unread',
    { state: { current: version(other), pending: staged(), journal: rotation({ staged: kept }) }, request: { kind: 'emergency' } },
    { do: 'probe', versions: [staged()], leftover: true },
    ['nothing is pending', { state: { current: version(other), journal: rotation() }, request: { kind: 'emergency' } }, '28'],
  ],
  [
    '18 the journal was lost, a value made for current is there',
    { state: { loose: [staged(), staged({ id: other, base: other })] }, request: { kind: 'resume' } },
    { do: 'probe', versions: [staged()], leftover: false },
    ['it was made for an older version', { state: { loose: [staged({ base: other })] }, request: { kind: 'resume' } }, '19'],
  ],
  [
    '18 it takes the place of a dead rotation',
    { state: { loose: [staged({ token: theirs })], current: version(base), journal: rotation({ base: other }) } },
    { do: 'probe', versions: [staged({ token: theirs })], leftover: false, over: mine },
    ['nothing loose', { state: { journal: rotation({ base: other }) } }, '28'],
  ],
  [
    '19 resume starts nothing',
    { request: { kind: 'resume' } },
    done,
    ['rotate does', {}, '28'],
    ['something is open', { state: { journal: rotation() }, request: { kind: 'resume' } }, '15'],
  ],
  [
    '20 a publication at the very moment of asking answers',
    { state: { ...justPublished, publishedAt: now }, request: { at: now } },
    done,
    ['a millisecond before', { state: { ...justPublished, publishedAt: now - 1 }, request: { at: now } }, '28'],
    ['a put wants its own value in', { state: { ...justPublished, publishedAt: now }, request: { kind: 'put', at: now } }, '28'],
    ['created, never rotated', { state: { publishedAt: now }, request: { at: now } }, '28'],
  ],
  [
    '21 what is being retired does not come back',
    { state: { ...justPublished, journal: retiring(entry('armed')) }, request: { kind: 'rollback' } },
    refuse('held', /retired/),
    ['it only waits', { state: { ...justPublished, journal: retiring(entry('waiting')) }, request: { kind: 'rollback' } }, '22'],
  ],
  [
    '21 what the target refuses does not come back',
    { state: justPublished, request: { kind: 'rollback' }, facts: { previousAccepted: false } },
    refuse('bad_event', /accepted/),
    [
      'it can be set again',
      { state: justPublished, request: { kind: 'rollback' }, facts: { previousAccepted: false, rollback: 'reapply' } },
      '22',
    ],
  ],
  [
    '21 there is nothing to go back to',
    { request: { kind: 'rollback' } },
    refuse('bad_event', /no previous/),
    ['there is', { state: { previous: version(other) }, request: { kind: 'rollback' } }, '22'],
  ],
  [
    '22 nothing holds a rollback',
    { state: justPublished, request: { kind: 'rollback', token: theirs }, facts: { ...pair, targets: true, frozen: 'x' } },
    { ...begin, kind: 'rollback', token: theirs, value: 'previous' },
    ['a put is held', { state: justPublished, request: { kind: 'put' }, facts: pair }, '23-26'],
  ],
  [
    '23-26 frozen',
    { facts: { frozen: 'the freeze of December' } },
    refuse('held', /^the freeze of December$/),
    ['a person puts a value', { request: { kind: 'put' }, facts: { frozen: 'x' } }, '28'],
  ],
  [
    '23-26 the announcement of current is due, with one slot too',
    { state: { journal: journal({ announced: other }) }, facts: { targets: true } },
    refuse('held', /announced/),
    ['it is announced', { state: { journal: journal({ announced: base }) }, facts: { targets: true } }, '28'],
    ['nobody is named', { state: { journal: journal({ announced: other }) } }, '28'],
    ['no notes may be kept', { facts: { targets: true, journal: false } }, '28'],
  ],
  [
    '23-26 the last millisecond of grace',
    { state: justPublished, facts: pair },
    refuse('held', /another 1s/),
    ['it is over', { state: { ...justPublished, publishedAt: now - hour }, facts: pair }, '28'],
    ['one slot overlaps nothing', { state: justPublished }, '28'],
    ['there never was another credential', { state: { publishedAt: now - 1 }, facts: pair }, '28'],
    ['an emergency', { state: justPublished, request: { kind: 'emergency' }, facts: pair }, '28'],
  ],
  [
    '23-26 grace holds where there is no limit of slots',
    { state: justPublished, facts: { slots: null } },
    refuse('held', /outgoing/),
    ['over, however many wait', { state: { journal: retiring(entry('waiting')) }, facts: { slots: null } }, '28'],
  ],
  ...(['waiting', 'armed', 'disabled'] as const).map(
    (phase): RowCase => [
      `23-26 ${phase}: its slot is not free, however long ago`,
      { state: { journal: retiring(entry(phase)) }, facts: pair },
      refuse('held', /all 2/),
      ['a third slot', { state: { journal: retiring(entry(phase)) }, facts: { slots: 3 } }, '28'],
    ],
  ),
  [
    '23-26 nobody named, not yet due',
    { state: { journal: retiring(entry('undeclared', now + 1)) }, facts: pair },
    refuse('held', /all 2/),
    ['due now', { state: { journal: retiring(entry('undeclared', now)) }, facts: pair }, '28'],
  ],
  [
    '28 idle: a new rotation',
    { request: { token: theirs } },
    { ...begin, token: theirs },
    ['one is open', { state: { journal: rotation() }, request: { token: theirs } }, '15'],
  ],
  [
    '28 an emergency is held by nothing',
    {
      state: { ...justPublished, journal: retiring(entry('waiting')) },
      request: { kind: 'emergency' },
      facts: { ...pair, targets: true, frozen: 'x' },
    },
    { ...begin, kind: 'emergency' },
    ['a rotation is', { state: justPublished, facts: pair }, '23-26'],
  ],
  [
    '28 a put, in the place of a rotation whose base is gone',
    { state: { current: version(other), journal: rotation() }, request: { kind: 'put' } },
    { ...begin, kind: 'put', base: other, over: mine, value: 'given' },
    ['its base is current', { state: { journal: rotation() }, request: { kind: 'put' } }, '15'],
  ],
  [
    '28 a full issuer: the oldest that nobody named goes first',
    {
      state: {
        journal: retiring(entry('undeclared', now - 2, 'young' as CredentialId), entry('undeclared', now - 9), entry('waiting', 1)),
      },
      facts: { mints: true, slots: 4 },
    },
    { ...begin, free: oldest },
    ['only ones in use', { state: { journal: retiring(entry('waiting')) }, facts: { mints: true, slots: 2 } }, '23-26'],
  ],
]

function check(found: Action & { readonly row: string }, row: string, expected: Expected): void {
  const { row: actual, ...action } = found
  assert.equal(actual, row)
  if (expected.do !== 'refuse') {
    assert.deepEqual(action, expected)
    return
  }
  assert.ok(action.do === 'refuse')
  assert.match(action.why, expected.why)
  assert.deepEqual({ ...action, why: '' }, { ...expected, why: '' })
}

describe('decide: each row, and what stands beside it', () => {
  const hit = new Set<string>()
  for (const [title, question, action, ...beside] of cases) {
    const row = title.slice(0, title.indexOf(' '))
    it(`row ${title}`, () => {
      const found = decide(...ask(question))
      hit.add(found.row)
      check(found, row, action)
    })
    for (const [difference, neighbour, answer] of beside) {
      it(`row ${title}; but ${difference}: row ${answer}`, () => {
        assert.notEqual(answer, row)
        assert.equal(decide(...ask(neighbour)).row, answer)
      })
    }
  }

  it('row 0: no current version at all', () => {
    const [, request, facts] = ask({})
    check(decide(withoutCurrent, request, facts), '0', refuse('not_found', /no current/))
  })

  it('a slot is freed only for an issuer, only when all are taken, and only for what nobody is known to use', () => {
    const freed = (facts: Partial<Facts>, ...entries: Retiring[]) => {
      const { row: _row, ...action } = decide(...ask({ state: { journal: retiring(...entries) }, request: { kind: 'emergency' }, facts }))
      return action.do === 'go' ? action.free : 'nothing was started'
    }
    assert.equal(freed({ slots: 2, mints: true }, entry('undeclared')), 'old')
    assert.equal(freed({ slots: 2, mints: true }, entry('armed')), 'old')
    assert.equal(freed({ slots: 2, mints: false }, entry('undeclared')), undefined)
    assert.equal(freed({ slots: 3, mints: true }, entry('undeclared')), undefined)
    assert.equal(freed({ slots: 2, mints: true }, entry('undeclared', now + 1)), undefined)
    assert.equal(freed({ slots: 2, mints: true }, entry('waiting')), undefined)
    assert.equal(freed({ slots: null, mints: true }, entry('undeclared')), undefined)
  })

  it('is pure: the same question has the same answer, and changes nothing', () => {
    for (const [, question] of cases) {
      const asked = ask(question)
      const before = structuredClone(asked)
      assert.deepEqual(decide(...asked), decide(...asked))
      assert.deepEqual(asked, before)
    }
  })

  after(() => {
    const missed = rows.map(({ id }) => id).filter((id) => !hit.has(id))
    assert.deepEqual(missed, [], 'every row of the table has a case')
  })
})
