import { parseDuration, prefix, showDuration } from './policy/index.js'
import type { Native, Policy } from './ports/words.js'

const everyKey = `${prefix}every`
/** A platform tries for a while to deliver a notice, and a listing may be hours old. */
const lateMs = 86_400_000
/** How far the next notice may be from the times that were written: what a platform takes to send one may move the next. */
const nearMs = 3_600_000

/** A schedule of the platform that is not as the policy says, or of which nobody can say whether it is. */
export interface Drift {
  /** differs: it is otherwise than the policy · unseen: the platform does not show enough to compare them. */
  readonly kind: 'differs' | 'unseen'
  readonly says: string
  /** With `<ref>` for the secret. */
  readonly next: string
}

/** The moment of a comparison, and when current became current. */
export interface Moment {
  readonly now: number
  readonly publishedAt: number
}

/**
 * Compares the notices of a platform with `keyturn-every` of the secret, which is what holds. undefined where they agree, and where the platform does not
 * notify. A schedule that is too short for the platform has no notices.
 */
export function noticeDrift(native: Native | undefined, policy: Policy, moment: Moment): Drift | undefined {
  if (native?.does !== 'notifies') return undefined
  const text = policy[everyKey]
  const everyMs = parseDuration(text ?? '')
  const { nextAt, everyMsMin = 0 } = native
  if (text !== undefined && everyMs !== undefined && everyMs >= everyMsMin) return compared(native, text, everyMs, moment)
  if (nextAt === undefined) return undefined
  const why = everyMs === undefined ? `the policy has no ${everyKey}` : `${everyKey} is ${text}, which is too short for a notice`
  return {
    kind: 'differs',
    says: `the platform notifies at ${timeOf(nextAt)}, and ${why}`,
    next: `Set ${everyKey} with keyturn policy <ref>, or remove the schedule at the platform.`,
  }
}

function compared({ nextAt, everyMs, written }: Native, text: string, wanted: number, { now, publishedAt }: Moment): Drift | undefined {
  const next = `Run keyturn policy <ref> every=${text}: it writes the platform's schedule again.`
  const differs = (says: string): Drift => ({ kind: 'differs', says, next })
  const policy = `${everyKey} is ${text}`
  if (nextAt === undefined) return differs(`the platform has no notice planned, and ${policy}`)
  if (everyMs !== undefined && everyMs !== wanted) return differs(`the platform notifies every ${showDuration(everyMs)}, and ${policy}`)
  if (nextAt < now - lateMs) return lateDrift(nextAt, next)
  if (nextAt > Math.max(now, publishedAt + wanted) + wanted)
    return differs(`the platform notifies at ${timeOf(nextAt)}, more than a period after a rotation is due, and ${policy}`)
  if (everyMs !== undefined) return undefined
  if (written !== undefined && written.everyMs !== wanted)
    return differs(`the platform was told to notify every ${showDuration(written.everyMs)}, and ${policy}`)
  if (written !== undefined && !isInTurn(written, nextAt))
    return differs(`somebody has moved the platform's next notice to ${timeOf(nextAt)}, and ${policy}`)
  return { kind: 'unseen', says: `the platform does not show how often it notifies, and ${policy}`, next }
}

const lateDrift = (nextAt: number, next: string): Drift => ({
  kind: 'differs',
  says: `the platform's notice of ${timeOf(nextAt)} is more than a day late`,
  next: `Check that the platform may send it. ${next}`,
})

/** Whether a notice is at one of the times that were written: the first one, or whole periods later. */
export function isInTurn({ everyMs, nextAt: first }: { readonly everyMs: number; readonly nextAt: number }, nextAt: number): boolean {
  const off = (((nextAt - first) % everyMs) + everyMs) % everyMs
  return nextAt >= first - nearMs && Math.min(off, everyMs - off) <= nearMs
}

const timeOf = (at: number): string => new Date(at).toISOString()

/** What to call a drift, in a few words and in all. */
export const shownDrift = ({ kind, says }: Pick<Drift, 'kind' | 'says'>): string =>
  kind === 'differs' ? `drift: ${says}` : `drift cannot be seen: ${says}`
