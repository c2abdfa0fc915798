import { isFromFuture } from '../../core/clock.js'
import type { Retiring, SecretView } from '../../core/ports/store.js'
import { endOf } from './reckoned.js'

const dayMs = 24 * 3_600_000

/** What of a policy says when an outgoing credential may end. */
export interface Spans {
  readonly settings: { readonly graceMs: number; readonly forceAfterMs?: number }
}

/**
 * Whether asking again about a credential that left may bring something new: its consumers and its target were asked in vain at `askedAt`. It is worth it when a
 * time has come since then at which it may end, when a consumer has moved since, and otherwise eight times in a grace: a target shows sessions only while they
 * are there. Where nobody is named, and grace is over, only the next rotation needs to know: once a day. If each look asked about each credential, a fleet would
 * log in to every database every few minutes.
 */
export function isWorthAsking(state: SecretView, { settings }: Spans, entry: Retiring, now: number): boolean {
  const { askedAt, since, unusedSince } = entry
  if (askedAt === undefined || isFromFuture(askedAt, now)) return true
  const { graceMs, forceAfterMs } = settings
  const end = endOf(state, entry, now)
  const pauseMs = entry.state === 'undeclared' && end <= now ? dayMs : Math.min(dayMs, graceMs / 8)
  if (now - askedAt >= pauseMs) return true
  const ends = [end, (unusedSince ?? now) + graceMs, since + (forceAfterMs ?? Number.POSITIVE_INFINITY)]
  if (ends.some((at) => askedAt < at && at <= now)) return true
  return Object.values(state.journal?.seen ?? {}).some(({ at }) => at > askedAt)
}
