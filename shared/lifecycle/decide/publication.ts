import { deriveChangeId, deriveToken, kindOfToken } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Change } from '../../core/ports/notifier.js'
import type { NotePatch, SecretView, VersionInfo } from '../../core/ports/store.js'
import type { RotationRequest, Token } from '../../core/ports/words.js'
import type { Action } from './action.js'

/**
 * Whether current still has to be announced. It is a level trigger: there is no outbox that could miss a value put by hand. It has to be once more where
 * somebody was notified of another version since: of one that came and went before everybody had heard of it.
 */
export function isDue({ current, journal }: SecretView): boolean {
  if (current?.hasValue !== true) return false
  return journal?.announced !== current.id || (journal.sequence !== undefined && journal.sequence.version !== current.id)
}

/** Whether current came from an emergency, as far as the journal or the token says. */
export function wasEmergency({ journal, current }: SecretView): boolean {
  if (kindOfToken(current?.ours ?? '') === 'emergency') return true
  const rotation = journal?.rotation
  return current !== undefined && rotation?.published === current.id && rotation.kind === 'emergency'
}

const causes: Readonly<Record<RotationRequest['kind'], Change['cause']>> = {
  rotate: 'rotation',
  resume: 'rotation',
  rollback: 'rollback',
  put: 'put',
  emergency: 'emergency',
}

/**
 * Where a publication stands among those of its secret, for receivers that drop older ones. It is the time of the publication, and never at or before
 * that of the one announced last, whose clock may have been ahead.
 */
function sequenceOf(state: SecretView, { id }: VersionInfo): number {
  const { journal } = state
  const publishedAt = markedAt(state)
  const { sequence: last, reckoned } = journal ?? {}
  if (last?.version === id) return last.value
  const at = reckoned?.version === id ? Math.min(publishedAt, reckoned.at) : publishedAt
  return last === undefined ? at : Math.max(at, last.value + 1)
}

/** The time that tells this publication from others of its version. It stays, whatever is noted. */
const markedAt = ({ undated, publishedAt }: SecretView): number => undated?.at ?? publishedAt

/** The token of a rotation from current that was given none. A version that a pointer names may be current for the second time, and its token is spent. */
export function ownToken(state: SecretView, { kind, base, refusals }: Extract<Action, { do: 'go' }>): Token {
  const { current, pointer, ref } = state
  const at = markedAt(state)
  const isAgain = pointer !== undefined && current !== undefined && current.id === base && at !== current.createdAt
  return deriveToken(kind, ref, base, refusals, isAgain ? at : undefined)
}

/** The publication that made current what it is. Deterministic: whoever announces it, and however often, tells the same. */
export function changeOf(state: SecretView, current: VersionInfo): Change {
  const { ref } = state
  const rotation = state.journal?.rotation
  const known = rotation?.token === current.ours ? rotation : undefined
  const ours = current.returned ? undefined : current.ours
  // A store whose writes have no condition may carry an older rotation's token, or none: a late add would look like a change that was heard before.
  const told = state.unfenced ? undefined : ours
  return {
    id: deriveChangeId(ref, told ?? { version: current.id, publishedAt: markedAt(state) }),
    ref,
    version: current.id,
    ...optional('resource', current.resource),
    previous: state.previous?.id ?? null,
    sequence: sequenceOf(state, current),
    cause: ours === undefined ? 'foreign' : causes[known?.kind ?? 'rotate'],
    ...optional('reason', known?.reason),
  }
}

/** What is noted with whatever was told: nothing older may be told afterwards. */
export const sequenceNote = (state: SecretView, current: VersionInfo): NonNullable<NotePatch['sequence']> => ({
  version: current.id,
  value: sequenceOf(state, current),
})
