import { fractionOf } from '../../core/ids.js'
import { inWindow, type Settings } from '../../core/policy/index.js'
import type { SecretView } from '../../core/ports/store.js'
import type { SecretRef } from '../../core/ports/words.js'
import { firstPartDue, type PartSchedule } from './parts/schedule.js'

const jitterMsMax = 6 * 3_600_000
const dayMs = 86_400_000

/** The same for one secret always, different among many: they do not all start in the same minute. 0 to `most`, at most six hours. */
export const jitterMs = ({ store, key }: SecretRef, most: number): number =>
  Math.floor(fractionOf(`${store}:${key}`) * Math.min(most, jitterMsMax))

/** What decides when a rotation is due. */
export interface Scheduled {
  readonly settings: Settings
  /** Where parts have schedules of their own. */
  readonly schedules?: readonly PartSchedule[]
}

/**
 * When the next scheduled rotation is due; undefined where the secret has no schedule, is not run by one, or the platform has its own. A window
 * spreads by itself, so that jitter is for those without one.
 */
export function dueAt(state: SecretView, { settings: { everyMs, mode, window }, schedules }: Scheduled): number | undefined {
  if (state.native?.does === 'starts') return state.native.nextAt
  if (mode === 'auto' && schedules !== undefined) return firstPartDue(schedules, state)
  if (everyMs === undefined || mode !== 'auto') return undefined
  return state.publishedAt + everyMs + (window === undefined ? jitterMs(state.ref, everyMs / 20) : 0)
}

/** Due, and its window is open. Missed windows wait for the next one; nothing is made up twice. */
export function isStartDue(state: SecretView, scheduled: Scheduled, now: number): boolean {
  // A platform that only notifies says so once: what it says is a hint, and what is due is started here.
  const at = state.native?.does === 'starts' ? undefined : dueAt(state, scheduled)
  if (at === undefined) return false
  const { window, everyMs: period = 0 } = scheduled.settings
  const everyMs = scheduled.schedules === undefined ? period : 0 // fixed times do not drift
  if (window === undefined) return now >= at
  if (!inWindow(window, now)) return false
  // A weekly rotation in a weekly window would drift out of it, a little later each time: from the opening of the very window that it is due in
  // it may start, up to a twentieth of its period early; not in the window in which the last one was.
  return now >= at || (at - now <= everyMs / 20 && staysOpen(window, now, at) && !staysOpen(window, state.publishedAt, now))
}

const stepMs = 15 * 60_000
/** Open all the time from one to the other; further apart than two days they are not the same opening. */
function staysOpen(window: NonNullable<Settings['window']>, from: number, to: number): boolean {
  if (to - from > 2 * dayMs) return false
  for (let at = from; at < to; at += stepMs) if (!inWindow(window, at)) return false
  return inWindow(window, to)
}

/** Once a day, each secret at its own time: does current still log in? */
export const isCheckDue = ({ journal, publishedAt, ref }: SecretView, now: number): boolean =>
  now >= Math.max(journal?.checkedAt ?? 0, publishedAt) + dayMs - jitterMs(ref, dayMs / 10)
