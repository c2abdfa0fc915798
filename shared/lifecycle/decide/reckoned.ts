import { isFromFuture } from '../../core/clock.js'
import type { Retiring, SecretView } from '../../core/ports/store.js'

/**
 * From when something of this secret counts for who sees it now: its own time, or when it was noted that it is from the future. undefined while nobody
 * has noted that. Nothing is rewritten: a clock that is behind sees the same, and must not shorten anything for the others.
 */
export function countsFrom({ journal, current }: SecretView, at: number, now: number): number | undefined {
  if (!isFromFuture(at, now)) return at
  const { reckoned } = journal ?? {}
  return reckoned === undefined || reckoned.version !== current?.id || isFromFuture(reckoned.at, now) ? undefined : reckoned.at
}

/** From when what left with this publication counts. Where nothing says when it was, and nobody has noted that yet, that is now. */
export const leftAt = ({ undated, publishedAt }: SecretView, now: number): number => (undated?.isNoted === false ? now : publishedAt)

/** Whether a time of this secret is from the future, or that of its publication is not known, and nobody has noted that yet. */
export function mustReckon(state: SecretView, now: number): boolean {
  if (state.undated?.isNoted === false) return true
  const entries = (state.journal?.retiring ?? []).map(({ since }) => since)
  return [state.publishedAt, ...entries].some((at) => countsFrom(state, at, now) === undefined)
}

/** When the entry may end: its own time, and its own span from when it counts. */
export function endOf(state: SecretView, { since, notBefore }: Retiring, now: number): number {
  const from = countsFrom(state, since, now)
  return from === undefined ? notBefore : from + (notBefore - since)
}

/** How many slots are in use besides the current credential's. */
export const occupied = (state: SecretView, now: number): number =>
  (state.journal?.retiring ?? []).filter((entry) => entry.state !== 'undeclared' || now < endOf(state, entry, now)).length
