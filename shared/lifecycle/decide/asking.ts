import { isFromFuture } from '../../core/clock.js'
import type { NotePatch, Retiring, SecretView } from '../../core/ports/store.js'
import { endOf } from './reckoned.js'

const dayMs = 24 * 3_600_000

/** What of a setup says when an outgoing credential may end. */
export interface Spans {
  readonly graceMs: number
  readonly forceAfterMs?: number
  /** Whether a consumer has to follow first. Else the target's sessions are the evidence. */
  readonly byConsumers: boolean
}

/**
 * Whether asking again about a credential that left may bring something new: its consumers and its target were asked in vain at `askedAt`. It is worth it when a
 * time has come since then at which it may end, and otherwise eight times in a grace. A consumer that moves takes `askedAt` away. Where nobody is named, and grace
 * is over, only the next rotation needs to know: once a day. If each look asked about each credential, a fleet would log in to every database every few minutes.
 *
 * Where sessions that have ended are the evidence, each look asks: whoever comes back between two of them has to be seen.
 */
export function isWorthAsking(state: SecretView, { graceMs, forceAfterMs, byConsumers }: Spans, entry: Retiring, now: number): boolean {
  const { askedAt, since, seenInUse, unusedSince } = entry
  if (askedAt === undefined || isFromFuture(askedAt, now)) return true
  if (seenInUse !== undefined && !byConsumers) return true
  if (entry.state === 'waiting' && forceAfterMs !== undefined && since + forceAfterMs <= now) return true // the policy may have come after `askedAt`
  const end = endOf(state, entry, now)
  const pauseMs = entry.state === 'undeclared' && end <= now ? dayMs : Math.min(dayMs, graceMs / 8)
  if (now - askedAt >= pauseMs) return true
  return [end, (unusedSince ?? now) + graceMs].some((at) => askedAt < at && at <= now)
}

/** For whoever notes that a consumer has moved: every credential that left is worth asking about again. */
export function askedAnew({ journal }: SecretView): Pick<NotePatch, 'retiring'> {
  const retiring = journal?.retiring ?? []
  return retiring.some(({ askedAt }) => askedAt !== undefined) ? { retiring: retiring.map(({ askedAt: _, ...entry }) => entry) } : {}
}
