import { deriveChangeId, kindOfToken } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Change } from '../../core/ports/notifier.js'
import type { SecretView, VersionInfo } from '../../core/ports/store.js'
import type { RotationRequest } from '../../core/ports/words.js'

/** Level trigger: there is no outbox that could miss a value put by hand. */
export const isDue = ({ current, journal }: SecretView): boolean => current?.hasValue === true && journal?.announced !== current.id

/** As far as the journal or the token says. */
export const wasEmergency = ({ journal, current }: SecretView): boolean =>
  kindOfToken(current?.ours ?? '') === 'emergency' ||
  (current !== undefined && journal?.rotation?.published === current.id && journal.rotation.kind === 'emergency')

const causes: Readonly<Record<RotationRequest['kind'], Change['cause']>> = {
  rotate: 'rotation',
  resume: 'rotation',
  rollback: 'rollback',
  put: 'put',
  emergency: 'emergency',
}

/** The publication that current is. Deterministic: whoever announces it, and however often, tells the same. */
export function changeOf(state: SecretView, current: VersionInfo): Change {
  const rotation = state.journal?.rotation
  const known = rotation?.token === current.ours ? rotation : undefined
  return {
    id: deriveChangeId(
      state.ref,
      current.ours === undefined || current.returned ? { version: current.id, publishedAt: state.publishedAt } : current.ours,
    ),
    ref: state.ref,
    version: current.id,
    previous: state.previous?.id ?? null,
    sequence: state.publishedAt,
    cause: current.ours === undefined || current.returned ? 'foreign' : causes[known?.kind ?? 'rotate'],
    ...optional('reason', known?.reason),
  }
}
