import { isFromFuture } from '../../core/clock.js'
import type { SecretView, Seen } from '../../core/ports/store.js'

const isOfCurrent = ({ version }: Seen, { current }: SecretView): boolean => version === current?.id
const seenOf = ({ journal }: SecretView): readonly Seen[] => Object.values(journal?.seen ?? {})

/** Whether the pause is over; also one that a clock which was ahead has written. */
export const isOver = ({ at, again }: Pick<Seen, 'at' | 'again'>, now: number): boolean =>
  again !== undefined && (again <= now || isFromFuture(at, now))

/** Whether a preflight found that it could not follow, and that only another request makes it try again: a time is noted for that, wherever it stands. */
export const isHeldUntilAsked = ({ code, again }: Pick<Seen, 'code' | 'again'>): boolean =>
  (code === 'held' || code === 'bad_config') && again !== undefined

/** Whether another look may find it further, once its pause is over. */
const canMove = (seen: Seen): boolean => (seen.phase !== 'drained' || isHeldUntilAsked(seen)) && seen.code !== 'delivery_refused'
/** Whether another look now may find it further. */
export const mayMove = (seen: Seen, now: number): boolean => isOver(seen, now) && canMove(seen)
/** When to look at it again, where that is before `until` and may find it further. */
export const moveBefore = (seen: Seen, until: number): number | undefined =>
  canMove(seen) && seen.again !== undefined && seen.again < until ? seen.again : undefined

/** Whether a consumer that refused the current version (410) is to be asked again: it may have been fixed. That is once an hour, even after everybody was told. */
export const refusedBefore = (state: SecretView, now: number): boolean =>
  seenOf(state).some((seen) => isOfCurrent(seen, state) && seen.code === 'delivery_refused' && isOver(seen, now))

/**
 * Whether a consumer that was told is still on its way, or holds the next rotation until it is asked again. Each pass looks how far it is, even where no
 * credential waits: nothing else drives a rollout, and nothing else frees what waits for a request.
 */
export const isProgressing = (state: SecretView, now: number): boolean =>
  seenOf(state).some((seen) => isOfCurrent(seen, state) && mayMove(seen, now))
