import { optional } from '../../../core/optional.js'
import type { OpenRotation } from '../../../core/ports/store.js'
import type { Token } from '../../../core/ports/words.js'
import type { Action, Look, Row } from '../action.js'
import { cannotContinue, is, refuse, replaces, retireFirst } from './common.js'

/** Whether the rotation was published while the journal still says that it is open: a crash came between. */
const bookkeepingMissing = ({ open, state }: Look): boolean => open !== undefined && state.current?.ours === open.token

function publishedToken({ state }: Look): Token | undefined {
  const rotation = state.journal?.rotation
  return rotation?.published === undefined ? undefined : rotation.token
}

function sourceOf(kind: OpenRotation['kind']): Pick<Extract<Action, { do: 'go' }>, 'value'> {
  if (kind === 'put') return { value: 'supplied' }
  return kind === 'rollback' ? { value: 'previous' } : {}
}

function continueOpen(
  look: Look,
  from: 'create' | 'set' | 'test' | 'finish',
  version: Extract<Action, { do: 'go' }>['version'],
): Action | undefined {
  const { open } = look
  if (!open) return undefined
  const rest = from === 'create' ? { ...retireFirst(look), ...sourceOf(open.kind) } : {}
  return {
    do: 'go',
    from,
    kind: open.kind,
    token: open.token,
    base: open.base,
    refusals: open.refusals,
    ...optional('version', version),
    ...rest,
  }
}

/** Whether the request is for a token that a loose value has: row 20t answers it. */
const asksForLoose = ({ request, state }: Look): boolean => state.loose.some(({ token }) => token === request.token)

/** No repetition helps, and a rotation from an older version would come after what somebody took away on purpose. */
const refuseUnreadable = ({ journal }: Look['state']): Action =>
  refuse(
    'damaged',
    `version ${journal?.rotation?.published} was published and cannot be read: somebody disabled or destroyed it`,
    'Enable that version again: who reads the newest version gets nothing. If it is destroyed, keyturn recover <ref> tries the older ones and names the one safe thing to do.',
  )

/** A rotation is open, or values are left of one. */
export const openRows: readonly Row[] = [
  {
    id: '8',
    state: 'current came from the token asked for, bookkeeping done',
    request: 'rotate, rollback, put, emergency',
    when: (l) =>
      l.request.kind !== 'resume' &&
      l.request.token !== undefined &&
      [l.state.current?.ours, publishedToken(l)].includes(l.request.token) &&
      !bookkeepingMissing(l),
    answer: (l) => (l.state.current ? { do: 'done', version: l.state.current.id } : undefined),
  },
  {
    id: '9g',
    state: 'the version that a rotation published was disabled or destroyed',
    request: 'any',
    when: (l) => l.state.publishedGone === true,
    answer: ({ state }) => refuseUnreadable(state),
  },
  {
    id: '9',
    state: 'a rotation was published, but current is still its base; a pointer may have been moved back, which claim confirms',
    request: 'any',
    when: (l) =>
      l.state.pointer === undefined && l.state.journal?.rotation?.published !== undefined && l.state.journal.rotation.base === l.base,
    answer: () => refuse('conflict', 'the store answered with an older state'),
  },
  {
    id: '10',
    state: 'open; its value is current already',
    request: 'any: bookkeeping',
    when: bookkeepingMissing,
    answer: (l) => continueOpen(l, 'finish', l.open?.staged ?? l.state.current?.id),
  },
  {
    id: '11',
    state: 'open; the intent to publish is noted, pending there',
    request: 'any: only finish may run',
    when: (l) => l.open?.intent === true && l.state.pending !== undefined,
    answer: (l) => continueOpen(l, 'finish', l.state.pending?.id),
  },
  {
    id: '13',
    state: 'open; no pending value is named, but there is a loose value of its token',
    request: 'any',
    when: (l) => l.open !== undefined && l.state.pending === undefined && l.state.loose.some((staged) => staged.token === l.open?.token),
    answer: (l) => ({
      do: 'probe',
      versions: l.state.loose.filter((staged) => staged.token === l.open?.token),
      leftover: l.open?.base !== l.base,
    }),
  },
  {
    id: '14p',
    state: 'open on current; a value that a person put is pending',
    request: 'put, with another token: it replaces that value',
    when: (l) =>
      l.request.kind === 'put' &&
      l.open?.kind === 'put' &&
      l.open.base === l.base &&
      l.open.intent !== true &&
      l.state.pending !== undefined &&
      l.request.token !== l.open.token,
    answer: (l) => (l.state.pending ? { do: 'drop', staged: l.state.pending } : undefined),
  },
  {
    id: '14e',
    state: 'open on current; an ordinary value of a self-issued kind is pending, which nobody else knows',
    request: 'emergency: the pending value may hold what leaked',
    when: (l) =>
      l.request.kind === 'emergency' &&
      l.facts.selfIssued === true &&
      l.open !== undefined &&
      l.open.kind !== 'emergency' &&
      l.open.base === l.base &&
      l.open.intent !== true &&
      l.state.pending !== undefined,
    answer: (l) => (l.state.pending ? { do: 'drop', staged: l.state.pending } : undefined),
  },
  {
    id: '14',
    state: 'open on current; pending there',
    request: "any, with the rotation's token",
    when: (l) => l.open?.base === l.base && l.state.pending !== undefined,
    answer: (l) => continueOpen(l, l.open?.kind === 'put' ? 'test' : 'set', l.state.pending?.id),
  },
  {
    id: '15',
    state: 'open on current; no value yet',
    request: "any, with the rotation's token",
    when: (l) => l.open?.base === l.base && !cannotContinue(l),
    answer: (l) => continueOpen(l, 'create', undefined),
  },
  {
    id: '16',
    state: 'open on another base; pending there',
    request: 'any',
    when: (l) => l.open !== undefined && l.open.base !== l.base && l.state.pending !== undefined,
    answer: (l) => (l.state.pending ? { do: 'probe', versions: [l.state.pending], leftover: true } : undefined),
  },
  // 17: open on another base without a value: falls through, with `replaces` = its token.
  {
    id: '18',
    state: 'a loose value whose base is current (the journal was wiped)',
    request: 'any',
    when: (l) => l.state.loose.some((staged) => staged.base === l.base),
    answer: (l) => ({ do: 'probe', versions: l.state.loose.filter((staged) => staged.base === l.base), leftover: false, ...replaces(l) }),
  },
  {
    id: '18o',
    state: 'idle; a loose value of an older base (the journal was wiped, and somebody else published)',
    request: 'rotate, rollback, resume, and all where writes have no condition: cleared away first',
    when: (l) =>
      (l.state.unfenced === true || is('rotate', 'rollback', 'resume')(l)) &&
      l.open === undefined &&
      l.state.loose.length > 0 &&
      !asksForLoose(l),
    answer: (l) => ({ do: 'probe', versions: l.state.loose.slice(0, 1), leftover: true }),
  },
]
