import { isFromFuture } from '../../core/clock.js'
import { fractionOf } from '../../core/ids.js'
import { type Drift, noticeDrift } from '../../core/notices.js'
import { inWindow, type Settings } from '../../core/policy/index.js'
import type { SecretView } from '../../core/ports/store.js'
import type { SecretRef } from '../../core/ports/words.js'
import { countsFrom } from '../decide/reckoned.js'
import { firstPartDue, type PartSchedule } from './parts/schedule.js'

const jitterMsMax = 6 * 3_600_000
const dayMs = 86_400_000

/** A delay from 0 to `most`, at most six hours. It is always the same for one secret and differs among many, so that they do not all start in the same minute. */
export const jitterMs = ({ store, key }: SecretRef, most: number): number =>
  Math.floor(fractionOf(`${store}:${key}`) * Math.min(most, jitterMsMax))

/** What decides when a rotation is due. */
export interface Scheduled {
  readonly settings: Settings
  /** Where parts have schedules of their own. */
  readonly schedules?: readonly PartSchedule[]
}

/**
 * When the next scheduled rotation is due. The platform's time where that starts rotations; undefined where the secret has no schedule, or its
 * mode is not auto. Jitter is only for secrets without a window, because a window spreads by itself.
 */
export function dueAt(state: SecretView, { settings: { everyMs, mode, window }, schedules }: Scheduled): number | undefined {
  if (state.native?.does === 'starts') return state.native.nextAt
  if (mode === 'auto' && schedules !== undefined) return firstPartDue(schedules, state)
  if (everyMs === undefined || mode !== 'auto') return undefined
  const jitter = window === undefined ? jitterMs(state.ref, everyMs / 20) : 0
  return state.publishedAt + everyMs + jitter
}

const hourMs = 3_600_000

/**
 * How long a rotation may be due before somebody should look at it: a tenth of its period, from an hour to a day. Where there is a window, the time until
 * it opens again comes on top: the schedule waits for that by itself.
 */
function patienceMs({ everyMs = 0, window }: Settings): number {
  const own = Math.min(dayMs, Math.max(hourMs, everyMs / 10))
  return window === undefined ? own : own + dayMs * Math.max(...window.days.map((day) => daysUntilNext(window.days, day)))
}
const daysUntilNext = (days: readonly number[], day: number): number => Math.min(...days.map((other) => ((other - day + 6) % 7) + 1))

/** How a secret stands with its schedule. Times in milliseconds. */
export interface Lateness {
  /** Since when the rotation is due; negative where it is not due yet. */
  readonly dueForMs: number
  /** Whether that is longer than a sweep that works lets it be. */
  readonly isOverdue: boolean
}

/** How late the next scheduled rotation is; undefined where there is no schedule, or where only a clock that was ahead could say. */
export function latenessOf(state: SecretView, scheduled: Scheduled, now: number): Lateness | undefined {
  const due = dueAt(state, scheduled)
  const from = countsFrom(state, state.publishedAt, now)
  if (due === undefined || from === undefined) return undefined
  const dueForMs = now - (due - state.publishedAt + from)
  return { dueForMs, isOverdue: dueForMs > patienceMs(scheduled.settings) }
}

/** Whether a rotation is due and its window is open. After a missed window the rotation waits for the next one, and runs only once. */
export function isStartDue(state: SecretView, scheduled: Scheduled, now: number): boolean {
  // A platform that only notifies says so once. That is a hint; the rotation is started here when it is due.
  const from = state.native?.does === 'starts' ? undefined : countsFrom(state, state.publishedAt, now)
  const { window, everyMs: period = 0 } = scheduled.settings
  if (from === undefined || isFarAhead(scheduled, now - from)) return false
  const due = dueAt(state, scheduled)
  if (due === undefined) return false
  const at = due - state.publishedAt + from
  const everyMs = scheduled.schedules === undefined ? period : 0 // fixed times do not drift
  if (window === undefined) return now >= at
  if (!inWindow(window, now)) return false
  if (now >= at) return true
  // A weekly rotation in a weekly window would drift out of it, a little later each time. So a rotation may start up to a twentieth of its period
  // early, in the same opening of the window in which it is due. It may not start in the opening in which the last one was.
  const isNear = at - now <= everyMs / 20
  return isNear && staysOpen(window, now, at) && !staysOpen(window, from, now)
}

/** Whether not even the shortest delay would be over: for most secrets of a fleet that spares the hash of their names. */
const isFarAhead = ({ settings: { window, everyMs = 0 }, schedules }: Scheduled, passedMs: number): boolean =>
  schedules === undefined && window === undefined && passedMs < everyMs

/** How the platform's notices differ from what the secret itself says of its schedule; undefined where they agree, or where there are none. */
export function driftOf({ native, policy, publishedAt, ref }: SecretView, now: number): Drift | undefined {
  const drift = noticeDrift(native, policy, { now, publishedAt })
  return drift && { ...drift, next: drift.next.replaceAll('<ref>', ref.shown) }
}

const stepMs = 15 * 60_000
/** Whether the window is open all the time from one to the other. Times more than two days apart are not in the same opening. */
function staysOpen(window: NonNullable<Settings['window']>, from: number, to: number): boolean {
  if (to - from > 2 * dayMs) return false
  for (let at = from; at < to; at += stepMs) if (!inWindow(window, at)) return false
  return inWindow(window, to)
}

const checkJitterMs = dayMs / 10

/** Whether to check that current still logs in: once a day, each secret at its own time. */
export function isCheckDue({ journal, publishedAt, ref }: SecretView, now: number): boolean {
  const times = [journal?.checkedAt ?? 0, publishedAt].filter((at) => !isFromFuture(at, now))
  const last = Math.max(0, ...times)
  if (now - last < dayMs - checkJitterMs) return false // without the hash of its name
  return now >= last + dayMs - jitterMs(ref, checkJitterMs)
}

/**
 * Whether the check that is due is also to be made up for by who cannot make it: in a freeze, a pause, or while a person has to look first, nothing notes that it
 * was made. Each secret has an hour of the day for that.
 */
export const isHourOf = ({ store, key }: SecretRef, now: number): boolean =>
  Math.floor(fractionOf(`${store}:${key}`) * 24) === Math.floor((now % dayMs) / hourMs)
