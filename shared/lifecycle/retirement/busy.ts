import { isEmptyPut } from '../../core/claims.js'
import { isLeaseLive } from '../../core/clock.js'
import type { OpenRotation, SecretState } from '../../core/ports/store.js'
import { isDue } from '../decide/publication.js'

/** Why nothing may be armed now: a rotation that continues may be about to use the account again. The leftover of an older rotation blocks nothing. */
export function busyWith(state: SecretState, now: number): string | undefined {
  const { journal } = state
  if (journal?.code !== undefined) return `it is ${journal.code}: what left may be the only credential that works`
  if (isDue(state)) return 'an announcement is due'
  const isHeld = isLeaseLive(openRotation(state)?.leaseUntil ?? 0, now)
  return isHeld || mayContinue(state) ? 'a rotation is open' : undefined
}

/** Whether a rotation of what is current may continue, or its value is staged already. */
export function mayContinue(state: SecretState): boolean {
  const { pending, loose, current } = state
  const open = openRotation(state)
  // What was claimed only to clear a leftover away is a put without a value: nobody continues it.
  const mayGoOn = open !== undefined && !isEmptyPut(state)
  if (mayGoOn && (open.base === current?.id || current?.ours === open.token)) return true
  return pending?.hasValue === true || loose.some(({ base }) => base === current?.id)
}

/** The rotation that the journal knows, as long as it has not published. */
function openRotation({ journal }: SecretState): OpenRotation | undefined {
  return journal?.rotation?.published === undefined ? journal?.rotation : undefined
}
