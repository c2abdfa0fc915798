import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { Journal, OpenRotation, SecretState, Staged, VersionInfo } from '../../shared/core/ports/store.js'
import type { CredentialId, RotationRequest, SecretRef, Token, VersionId } from '../../shared/core/ports/words.js'
import type { Action, Facts } from '../../shared/lifecycle/action.js'
import { decide } from '../../shared/lifecycle/decide.js'
import { rows } from '../../shared/lifecycle/rows.js'

const ref: SecretRef = { store: 'memory', key: 'db', shown: 'memory:db' }
const [v1, v2, s1] = ['v1', 'v2', 's1'] as VersionId[] as [VersionId, VersionId, VersionId]
const [t1, t2] = ['token-1', 'token-2'] as Token[] as [Token, Token]
const hour = 3_600_000
const now = 100 * hour

const version = (id: VersionId, ours?: Token): VersionInfo => ({ id, createdAt: 0, hasValue: true, ...(ours ? { ours } : {}) })
const staged = (rest: Partial<Staged> = {}): Staged => ({ id: s1, createdAt: 0, hasValue: true, token: t1, base: v1, ...rest })
const rotation = (rest: Partial<OpenRotation> = {}): OpenRotation => ({
  token: t1,
  kind: 'rotate',
  base: v1,
  holder: 'h',
  attempt: 1,
  leaseUntil: 0,
  rejects: 0,
  ...rest,
})
const journal = (rest: Partial<Journal> = {}): Journal => ({ retiring: [], ...rest })
const open = (rest: Partial<OpenRotation> = {}): Pick<SecretState, 'journal'> => ({ journal: journal({ rotation: rotation(rest) }) })
const state = (rest: Partial<SecretState> = {}): SecretState => ({
  ref,
  current: version(v1),
  publishedAt: now - 10 * hour,
  loose: [],
  drivenBy: 'engine',
  policy: {},
  journal: null,
  rev: '1',
  ...rest,
})
const facts = (rest: Partial<Facts> = {}): Facts => ({
  now,
  slots: 1,
  graceMs: hour,
  mints: false,
  journal: true,
  targets: false,
  rollback: 'publish',
  ...rest,
})
const request = (rest: Partial<RotationRequest> = {}): RotationRequest => ({ kind: 'rotate', ref: ref.shown, at: now, ...rest })
const service = (step: RotationRequest['step'], rest: Partial<SecretState> = {}): [SecretState, RotationRequest] => [
  state({ drivenBy: 'service', pending: staged(), ...rest }),
  request({ token: t1, ...(step ? { step } : {}) }),
]
const go = { do: 'go', kind: 'rotate', base: v1, rejects: 0 } as const
const entry = (rest: Partial<Journal['retiring'][number]> = {}) => ({
  id: 'k0' as CredentialId,
  version: v1,
  notBefore: now - 1,
  state: 'undeclared' as const,
  ...rest,
})
const previous = { previous: version(v2) }
const { current: _, ...without } = state()

type Case = readonly [
  what: string,
  row: string,
  state: SecretState,
  request: RotationRequest,
  action: Action | { do: 'refuse'; code: string },
  facts?: Partial<Facts>,
]

const empty = { hasValue: false } as const
const cases: readonly Case[] = [
  ['no current version', '0', without, request(), { do: 'refuse', code: 'not_found' }],
  [
    'a current version without a value',
    '0',
    state({ current: { ...version(v1), hasValue: false } }),
    request(),
    { do: 'refuse', code: 'not_found' },
  ],
  ['stuck refuses a rotation', '0s', state({ journal: journal({ code: 'stuck' }) }), request(), { do: 'refuse', code: 'stuck' }],
  [
    'stuck refuses an emergency and a resume too',
    '0s',
    state({ journal: journal({ code: 'stuck' }) }),
    request({ kind: 'resume' }),
    { do: 'refuse', code: 'stuck' },
  ],
  ['service: the token is current', '1', ...service('finish', { current: version(v1, t1) }), { do: 'done', version: v1 }],
  ['service: pending of another token', '2', ...service('set', { pending: staged({ token: t2 }) }), { do: 'refuse', code: 'token_spent' }],
  [
    'service: create with an empty placeholder',
    '3',
    ...service('create', { pending: staged(empty) }),
    { ...go, from: 'create', token: t1 },
  ],
  [
    'service: create within grace is held',
    '3',
    ...service('create', { pending: staged(empty), ...previous, publishedAt: now }),
    { do: 'refuse', code: 'held' },
    { slots: 2 },
  ],
  ['service: set before create', '4', ...service('set', { pending: staged(empty) }), { do: 'refuse', code: 'bad_event' }],
  ['service: finish before create', '4', ...service('finish', { pending: staged(empty) }), { do: 'refuse', code: 'bad_event' }],
  ['service: test-only run', '5', ...service('test', { pending: staged(empty) }), { do: 'check' }],
  ['service: create again', '6', ...service('create'), { do: 'done', version: s1 }],
  [
    'service: exactly the step that is asked, and no hold',
    '7',
    ...service('test', { ...previous, publishedAt: now }),
    { ...go, from: 'test', token: t1, version: s1 },
    { slots: 2 },
  ],
  ['service: no step named', '7s', ...service(undefined), { do: 'refuse', code: 'bad_event' }],
  ['current came from this token', '8', state({ current: version(v1, t1) }), request({ token: t1 }), { do: 'done', version: v1 }],
  [
    'the journal says that this token published',
    '8',
    state({ current: version(v2), ...open({ published: v2 }) }),
    request({ token: t1 }),
    { do: 'done', version: v2 },
  ],
  [
    'an older answer: published, but current is the base',
    '9',
    state(open({ published: v2 })),
    request({ kind: 'resume' }),
    { do: 'refuse', code: 'conflict' },
  ],
  [
    'published, bookkeeping missing',
    '10',
    state({ current: version(v2, t1), ...open({ staged: s1 }) }),
    request({ kind: 'resume' }),
    { ...go, from: 'finish', token: t1, version: s1 },
  ],
  [
    'intent stands: finish only',
    '11',
    state({ pending: staged(), ...open({ staged: s1, intent: true }) }),
    request({ kind: 'resume' }),
    { ...go, from: 'finish', token: t1, version: s1 },
  ],
  [
    'intent stands, also when somebody wrote meanwhile',
    '11',
    state({ current: version(v2), pending: staged(), ...open({ staged: s1, intent: true }) }),
    request(),
    { ...go, from: 'finish', token: t1, version: s1 },
  ],
  [
    'open, its value not named',
    '13',
    state({ loose: [staged()], ...open() }),
    request(),
    { do: 'probe', versions: [staged()], leftover: false },
  ],
  [
    'open on current with a value',
    '14',
    state({ pending: staged(), ...open({ staged: s1, rejects: 2 }) }),
    request({ token: t2 }),
    { ...go, from: 'set', token: t1, version: s1, rejects: 2 },
  ],
  [
    'an open put is tested, not set',
    '14',
    state({ pending: staged(), ...open({ staged: s1, kind: 'put' }) }),
    request(),
    { ...go, kind: 'put', from: 'test', token: t1, version: s1 },
  ],
  [
    'open on current without a value',
    '15',
    state(open({ rejects: 1 })),
    request({ kind: 'resume' }),
    { ...go, from: 'create', token: t1, rejects: 1 },
  ],
  [
    'a leftover of a lost race',
    '16',
    state({ current: version(v2), pending: staged(), ...open({ staged: s1 }) }),
    request(),
    { do: 'probe', versions: [staged()], leftover: true },
  ],
  [
    'a loose value on current after the journal was lost',
    '18',
    state({ loose: [staged()] }),
    request(),
    { do: 'probe', versions: [staged()], leftover: false },
  ],
  ['idle, resume', '19', state(), request({ kind: 'resume' }), { do: 'done', version: v1 }],
  ['rotated since it was asked', '20', state({ ...previous, publishedAt: now }), request({ at: now }), { do: 'done', version: v1 }],
  [
    'an emergency that a rotation answered',
    '20',
    state({ ...previous, publishedAt: now }),
    request({ kind: 'emergency', at: now - 1 }),
    { do: 'done', version: v1 },
  ],
  ['rollback without a previous version', '21', state(), request({ kind: 'rollback' }), { do: 'refuse', code: 'bad_event' }],
  [
    'rollback to what is being retired',
    '21',
    state({ ...previous, journal: journal({ retiring: [entry({ version: v2, state: 'armed' })] }) }),
    request({ kind: 'rollback' }),
    { do: 'refuse', code: 'held' },
  ],
  [
    'rollback to what the target refuses',
    '21',
    state(previous),
    request({ kind: 'rollback' }),
    { do: 'refuse', code: 'bad_event' },
    { previousAccepted: false },
  ],
  [
    'rollback within grace: no hold',
    '22',
    state({ ...previous, publishedAt: now }),
    request({ kind: 'rollback' }),
    { ...go, kind: 'rollback', from: 'create', value: 'previous' },
    { slots: 2 },
  ],
  [
    'rollback to what must be set again',
    '22',
    state(previous),
    request({ kind: 'rollback' }),
    { ...go, kind: 'rollback', from: 'create', value: 'previous' },
    { previousAccepted: false, rollback: 'reapply' },
  ],
  ['paused', '23-26', state(), request(), { do: 'refuse', code: 'held' }, { frozen: 'keyturn-mode is paused' }],
  ['an announcement is due', '23-26', state(), request(), { do: 'refuse', code: 'held' }, { targets: true }],
  [
    'grace of a pair',
    '23-26',
    state({ ...previous, publishedAt: now - hour + 1 }),
    request(),
    { do: 'refuse', code: 'held' },
    { slots: 2 },
  ],
  [
    'grace of a pair holds a put',
    '23-26',
    state({ ...previous, publishedAt: now - hour + 1 }),
    request({ kind: 'put' }),
    { do: 'refuse', code: 'held' },
    { slots: 2 },
  ],
  [
    'all slots in use',
    '23-26',
    state({ journal: journal({ retiring: [entry({ state: 'waiting' })] }) }),
    request(),
    { do: 'refuse', code: 'held' },
    { slots: 2 },
  ],
  ['grace does not hold one slot', '28', state({ ...previous, publishedAt: now - 1 }), request(), { ...go, from: 'create' }],
  ['grace is over', '28', state({ ...previous, publishedAt: now - hour }), request(), { ...go, from: 'create' }, { slots: 2 }],
  [
    'undeclared and past its time: the slot may be used',
    '28',
    state({ journal: journal({ retiring: [entry()] }) }),
    request(),
    { ...go, from: 'create' },
    { slots: 2 },
  ],
  [
    'an emergency passes grace and slots',
    '28',
    state({ ...previous, publishedAt: now - 1, journal: journal({ retiring: [entry({ state: 'waiting' })] }) }),
    request({ kind: 'emergency' }),
    { ...go, kind: 'emergency', from: 'create' },
    { slots: 2, frozen: 'x' },
  ],
  [
    'announced: nothing is due',
    '28',
    state({ journal: journal({ announced: v1 }) }),
    request(),
    { ...go, from: 'create' },
    { targets: true },
  ],
  ['no journal may be kept: due is ignored', '28', state(), request(), { ...go, from: 'create' }, { targets: true, journal: false }],
  [
    'an issuer with a full cap frees the oldest first',
    '28',
    state({ journal: journal({ retiring: [entry(), entry({ id: 'k1' as CredentialId, notBefore: now - 9 })] }) }),
    request(),
    { ...go, from: 'create', free: 'k1' as CredentialId },
    { mints: true, slots: 3 },
  ],
  [
    'a dead rotation of another base: its place is taken',
    '28',
    state({ current: version(v2), ...open() }),
    request(),
    { ...go, base: v2, from: 'create', over: t1 },
  ],
  [
    'a put that died before its value was kept: its place is taken',
    '28',
    state(open({ kind: 'put' })),
    request(),
    { ...go, from: 'create', over: t1 },
  ],
  [
    'the same put again goes on',
    '15',
    state(open({ kind: 'put' })),
    request({ kind: 'put', token: t1 }),
    { ...go, kind: 'put', from: 'create', token: t1, value: 'given' },
  ],
  ['a put starts', '28', state(), request({ kind: 'put', token: t1 }), { ...go, kind: 'put', token: t1, from: 'create', value: 'given' }],
  [
    'a value that was created and never rotated answers nothing',
    '28',
    state({ publishedAt: now }),
    request({ at: now }),
    { ...go, from: 'create' },
  ],
  [
    'a loose value of another base is left alone',
    '28',
    state({ current: version(v2), loose: [staged()] }),
    request(),
    { ...go, base: v2, from: 'create' },
  ],
]

describe('decide, row by row', () => {
  const hit = new Set<string>()
  for (const [what, row, from, asked, action, extra] of cases) {
    it(`row ${row}: ${what}`, () => {
      const { row: found, ...decided } = decide(from, asked, facts(extra))
      hit.add(found)
      assert.equal(found, row)
      if (decided.do === 'refuse' && action.do === 'refuse') assert.equal(decided.code, action.code)
      else assert.deepEqual(decided, action)
    })
  }
  after(() =>
    assert.deepEqual(
      rows.map(({ id }) => id).filter((id) => !hit.has(id)),
      [],
      'every row has a case',
    ),
  )
})
