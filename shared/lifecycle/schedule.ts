import { createHash } from 'node:crypto'
import { inWindow, type Settings } from '../core/policy/index.js'
import type { SecretState } from '../core/ports/store.js'
import type { SecretRef } from '../core/ports/words.js'

const jitterMsMax = 6 * 3_600_000
const dayMs = 86_400_000

/** The same for one secret always, different among many: they do not all start in the same minute. 0 to `most`, at most six hours. */
export function jitterMs({ store, key }: SecretRef, most: number): number {
  const hash = createHash('sha256').update(`${store}:${key}`).digest().readUInt32BE(0)
  return Math.floor((hash / 2 ** 32) * Math.min(most, jitterMsMax))
}

/**
 * When the next scheduled rotation is due; undefined where the secret has no schedule or is not run by one. With a window it is due half a day
 * early and without jitter: a weekly rotation in a weekly window would otherwise drift out of it a little each time and miss every second one.
 */
export function dueAt(state: SecretState, { everyMs, mode, window }: Settings): number | undefined {
  if (everyMs === undefined || mode !== 'auto') return undefined
  const shift = window === undefined ? jitterMs(state.ref, everyMs / 20) : -Math.min(dayMs / 2, everyMs / 2)
  return state.publishedAt + everyMs + shift
}

/** Due, and its window is open. Missed windows wait for the next one; nothing is made up twice. */
export function isStartDue(state: SecretState, settings: Settings, now: number): boolean {
  const at = dueAt(state, settings)
  return at !== undefined && now >= at && (settings.window === undefined || inWindow(settings.window, now))
}

/** Once a day, each secret at its own time: does current still log in? */
export const isCheckDue = ({ journal, publishedAt, ref }: SecretState, now: number): boolean =>
  now >= Math.max(journal?.checkedAt ?? 0, publishedAt) + dayMs - jitterMs(ref, dayMs / 10)
