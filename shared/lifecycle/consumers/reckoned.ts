import { isFromFuture, skewMsMax } from '../../core/clock.js'
import { optional } from '../../core/optional.js'
import type { NotePatch, Retiring, SecretView, Seen } from '../../core/ports/store.js'

/** Whether a clock that was ahead wrote a time of this secret: its publication, a check, an entry, or what is known of a consumer. */
export function isAhead({ publishedAt, journal }: SecretView, now: number): boolean {
  const times = [publishedAt, journal?.checkedAt ?? 0]
  const entries = (journal?.retiring ?? []).flatMap(({ since, seenInUse = 0, unusedSince = 0 }) => [since, seenInUse, unusedSince])
  const seen = Object.values(journal?.seen ?? {}).map(({ at }) => at)
  return [...times, ...entries, ...seen].some((at) => isFromFuture(at, now))
}

/**
 * The times of a secret as they count from now, where a clock that was ahead wrote them: nothing is held until real time catches up. Each keeps its own
 * span. Written once; what is not from the future stays as it is.
 */
export function reckoned({ publishedAt, journal }: SecretView, graceMs: number, now: number): NotePatch {
  const isWrong = (at: number | undefined): boolean => at !== undefined && isFromFuture(at, now)
  const entries = journal?.retiring ?? []
  const seen = Object.entries(journal?.seen ?? {})
  const entryOf = (entry: Retiring): Retiring => {
    const { seenInUse, unusedSince, ...rest } = entry
    if (!isWrong(entry.since) && !isWrong(seenInUse) && !isWrong(unusedSince) && entry.notBefore <= now + graceMs + skewMsMax) return entry
    return {
      ...rest,
      since: Math.min(entry.since, now),
      notBefore: Math.min(entry.notBefore, now + graceMs),
      ...optional('seenInUse', seenInUse && Math.min(seenInUse, now)),
      ...optional('unusedSince', unusedSince && Math.min(unusedSince, now)),
    }
  }
  const seenOf = (one: Seen): Seen => {
    if (!isWrong(one.at)) return one
    return { ...one, at: now, ...optional('again', one.again && now + Math.max(0, one.again - one.at)) }
  }
  return {
    ...(isWrong(publishedAt) ? { publishedAt: now } : {}),
    ...(isWrong(journal?.checkedAt) ? { checkedAt: now } : {}),
    ...(entries.length === 0 ? {} : { retiring: entries.map(entryOf) }),
    ...(seen.length === 0 ? {} : { seen: Object.fromEntries(seen.map(([key, one]) => [key, seenOf(one)])) }),
  }
}
