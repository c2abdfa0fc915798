import { isFromFuture } from '../../../core/clock.js'
import { kindOfToken } from '../../../core/ids.js'
import { isExplained } from '../../../core/unfenced/view.js'
import type { Action, Look, Row } from '../action.js'
import { wasEmergency } from '../publication.js'
import { cannotContinue, hold, is, refuse, replaces, retireFirst, tokenOf } from './common.js'

const starts = is('rotate', 'put', 'emergency')

/** Whether there is nothing to continue: a rotation of another base lost the race, and a put that died before its value was stored cannot be finished. */
export const idle = (look: Look): boolean => look.open === undefined || look.open.base !== look.base || cannotContinue(look)

const begin = (look: Look, extra: { value?: 'previous' | 'supplied' } = {}): Action => ({
  do: 'go',
  from: 'create',
  kind: look.request.kind,
  ...tokenOf(look),
  base: look.base,
  refusals: 0,
  ...replaces(look),
  ...retireFirst(look),
  ...extra,
})

/** Whether current came from a rotation. A value that was created and never replaced does not answer a request to rotate. */
const rotatedBefore = ({ state }: Look): boolean => state.previous !== undefined || state.current?.ours !== undefined

/**
 * Whether the last rotation is what the request asks for. One of another part is not. Nor is an ordinary rotation of a self-issued value where the
 * request is an emergency: it may have published what leaked.
 */
function answersRequest({ state, request, facts }: Look): boolean {
  if (request.part !== undefined) return false
  return request.kind !== 'emergency' || facts.selfIssued !== true || wasEmergency(state)
}

/** Whether current was published since the request was made. A publication from the future says nothing about that. */
const isSince = ({ state, request, facts }: Look, leastMs = 0): boolean =>
  state.publishedAt >= request.at + leastMs && !isFromFuture(state.publishedAt, facts.now)

function rolledBack({ journal, current }: Look['state']): boolean {
  if (current === undefined) return false
  const rotation = journal?.rotation
  if (rotation?.published === current.id && rotation.kind === 'rollback') return true
  return kindOfToken(current.ours ?? '') === 'rollback'
}

function isEnding({ state, facts }: Look): boolean {
  if (facts.retains === true) return false
  const retiring = state.journal?.retiring ?? []
  return retiring.some((entry) => entry.state === 'armed' || entry.state === 'disabled')
}
const laterStep = ({ request }: Look): boolean => request.step !== undefined && request.step !== 'create'
const publishedLast = ({ state }: Look): boolean => state.current !== undefined && state.journal?.rotation?.published === state.current.id

/** Nothing is open: does the request start something? */
export const idleRows: readonly Row[] = [
  {
    id: '19',
    state: 'idle',
    request: 'resume',
    when: is('resume'),
    answer: (l) => (l.state.current ? { do: 'done', version: l.state.current.id } : undefined),
  },
  {
    id: '19s',
    state: 'idle; the last rotation was published',
    request: 'rotate: a step after create, without a token: it was done',
    when: (l) => is('rotate')(l) && l.request.token === undefined && laterStep(l) && publishedLast(l),
    answer: (l) => (l.state.current ? { do: 'done', version: l.state.current.id } : undefined),
  },
  {
    id: '20t',
    state: 'idle; a value of the token asked for, made for another base (the journal was wiped and somebody else published)',
    request: 'rotate, rollback, put, emergency',
    when: (l) => l.request.token !== undefined && l.state.loose.some(({ token, base }) => token === l.request.token && base !== l.base),
    answer: () => refuse('token_spent', 'this token already made a value, for a version that is not current any more'),
  },
  {
    id: '20',
    state: 'idle; published at or after the request was made',
    request: 'rotate, emergency',
    when: (l) => is('rotate', 'emergency')(l) && rotatedBefore(l) && isSince(l) && answersRequest(l),
    answer: (l) => (l.state.current ? { do: 'done', version: l.state.current.id } : undefined),
  },
  {
    id: '20r',
    state: 'idle; writes have no condition, nothing explains current, and it was published after the request was made',
    request: 'rollback: it may have been done already, and the journal lost',
    when: (l) => is('rollback')(l) && l.state.unfenced === true && !isExplained(l.state) && isSince(l, 1),
    answer: () =>
      refuse(
        'held',
        'current was published after this was asked for, and nothing says by whom: it may be this very rollback',
        'Look at keyturn status <ref>. To roll back all the same, run the same command again.',
      ),
  },
  {
    id: '21',
    state: 'idle; previous gone, armed, or refused by the target and not to be applied again',
    request: 'rollback',
    when: is('rollback'),
    answer: ({ state, request, facts }) => {
      if (facts.rollback === 'none')
        return refuse('bad_event', 'this kind of credential cannot be rolled back', 'Let a rotation make a new one: keyturn rotate <ref>.')
      if (state.previous === undefined) return refuse('bad_event', 'there is no previous version to roll back to')
      if (rolledBack(state) && !request.again)
        return refuse(
          'bad_event',
          'a rollback has already made the older value current',
          'To return to the value that it replaced: keyturn rollback <ref> --again --reason ….',
        )
      const ending = (state.journal?.retiring ?? []).some(
        (entry) => entry.state === 'armed' || (entry.state === 'disabled' && entry.version === state.previous?.id),
      )
      if (ending)
        return refuse(
          'held',
          'the previous credential is being retired',
          'Run keyturn retire <ref>: it finishes that, and says what it waits for.',
        )
      if (facts.previousAccepted !== false || (facts.rollback === 'reapply' && facts.unreadable !== true)) return undefined
      if (facts.unreadable === true)
        return refuse(
          'bad_event',
          'the current value cannot be read, and the target no longer accepts the previous one',
          'keyturn recover <ref> tries every stored value once and names the one safe thing to do.',
        )
      return refuse('bad_event', 'the target no longer accepts the previous credential')
    },
  },
  {
    id: '22',
    state: 'idle',
    request: 'rollback: no hold',
    when: is('rollback'),
    answer: (l) => begin(l, { value: 'previous' }),
  },
  {
    id: '23-26',
    state: 'idle; window, freeze, announcement, grace or slots hold it',
    request: 'rotate, put',
    when: is('rotate', 'put'),
    answer: hold,
  },
  {
    id: '27',
    state: 'idle; the credential that it would use may be one that is being retired at this moment',
    request: 'emergency, put',
    when: (l) => isEnding(l) && (is('put')(l) || (is('emergency')(l) && (l.facts.slots ?? 0) > 1 && !l.facts.mints)),
    answer: () =>
      refuse(
        'held',
        'the outgoing credential is being retired at this moment',
        'Run keyturn retire <ref>: it finishes that, and says what it waits for.',
      ),
  },
  {
    id: '28',
    state: 'idle (an emergency skips 23 to 26)',
    request: 'rotate, put, emergency',
    when: starts,
    answer: (l) => begin(l, is('put')(l) ? { value: 'supplied' } : {}),
  },
]
