import { optional } from '../../core/optional.js'
import { parseDuration } from '../../core/policy/index.js'
import type { Native, Policy } from '../../core/ports/words.js'
import type { Document } from './documents.js'
import type { Version } from './version.js'

const everyKey = 'keyturn-every'
/** The service tells of a version that it expires so long before. It cannot be set for secrets. */
const noticeMs = 30 * 86_400_000
/** A time after this is written as another one by the vendor's client. */
const expiresAtMax = 2 ** 31 * 1000 - 1000
/** A notice that is due at once may be lost before anybody listens. */
const aheadMsMin = 10 * 60_000
/** How far a notice may be from where it would be, to count as the one that was written. */
const nearMs = 3_600_000

/** How often the policy asks for a rotation. */
export const everyMsOf = (policy: Policy): number | undefined => parseDuration(policy[everyKey] ?? '')

/** When a version has to expire so that the service notifies `every` after its publication; undefined without a schedule. Whole seconds. */
export function expiryOf(policy: Policy, publishedAt: number, now: number): number | undefined {
  const everyMs = everyMsOf(policy)
  if (everyMs === undefined) return undefined
  const at = Math.ceil((Math.max(publishedAt + everyMs, now + aheadMsMin) + noticeMs) / 1000) * 1000
  return at > expiresAtMax ? undefined : at
}

/** What the service notifies of: each version once. undefined where it does not expire, and no policy says that it should. */
export function noticesOf(
  version: Pick<Version, 'expiresAt'> | undefined,
  publishedAt: number,
  policy: Policy,
  notice: Document['notice'],
): Native | undefined {
  const wanted = everyMsOf(policy)
  const expiresAt = version?.expiresAt
  if (expiresAt === undefined) return wanted === undefined ? undefined : { does: 'notifies', replicas: [] }
  const nextAt = expiresAt - noticeMs
  const isOurs = notice !== undefined && notice.expiresAt === expiresAt
  const everyMs = isOurs ? notice.everyMs : nextAt - publishedAt
  const isAsWanted = wanted !== undefined && Math.abs(everyMs - wanted) <= nearMs
  return { does: 'notifies', nextAt, ...optional('everyMs', isAsWanted ? wanted : everyMs > 0 ? everyMs : undefined), replicas: [] }
}
