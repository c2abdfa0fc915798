import { counted } from '../../core/counted.js'
import type { Context, Usage } from '../../core/ports/rotator.js'
import type { CredentialId } from '../../core/ports/words.js'
import { strategyOf } from '../sql/pair.js'
import { ask } from './ask.js'
import { adminOf } from './check.js'
import { adminLogin, mustLogin, within } from './logins.js'
import type { Session } from './session.js'
import type { PostgresValue } from './value.js'

interface Sessions {
  readonly sessions: number
  readonly blind: boolean
  readonly oldest: number | null
  readonly pids: readonly number[] | null
  readonly places: readonly (string | null)[] | null
}

const query = `
select count(*)::int as sessions, coalesce(bool_and(backend_start is null), false) as blind,
 max(extract(epoch from now() - backend_start))::float8 as oldest, array_agg(pid) as pids,
 array_agg(distinct host(client_addr) || ' ' || application_name) as places
from pg_stat_activity where usename = $1 and pid <> pg_backend_pid() and application_name <> 'keyturn'`

/**
 * Who is logged in as `id` now, from the server's own list. A role without pg_read_all_stats sees how many sessions there are, and not since when.
 * That suffices for a pair; for one account, whose old and new sessions look alike, the answer is `unknown`. No session now does not prove that
 * nobody holds the credential.
 */
export async function usage(context: Context<PostgresValue>, id: CredentialId): Promise<Usage> {
  const admin = adminOf(context)
  const { current } = context
  if (admin === undefined && current === undefined) return { inUse: 'unknown', evidence: 'there is no login to look with' }
  const session = admin ? await adminLogin(context, admin) : await mustLogin(context, current as PostgresValue)
  return within(session, async () => {
    const [row] = await ask<Sessions & Record<string, unknown>>(session, query, [id])
    if (row === undefined) return { inUse: 'unknown', evidence: 'the server listed nothing' }
    if (row.sessions > 0 && row.blind && strategyOf(context.policy) === 'replace') {
      return {
        inUse: 'unknown',
        evidence: `${counted(row.sessions, 'session')}, but ${session.user} may not see since when; grant it pg_read_all_stats`,
      }
    }
    const places = (row.places ?? []).filter((place) => place !== null)
    const from = places.length > 0 ? ` from ${places.join(', ')}` : ''
    const evidence = `${counted(row.sessions, 'session')}${from}`
    if (row.sessions === 0) return { inUse: false, evidence }
    return { inUse: true, lasting: await lasts(context, session, id, row), lastUsedAt: context.env.now(), evidence }
  })
}

const lastingSeconds = 1

/**
 * Whether a session lasts, as a pool's does. A client that logs in, asks and leaves is mostly not seen, so its absence later would prove nothing. A
 * role that may not see when a session began looks twice for the same process.
 */
async function lasts({ env }: Context<PostgresValue>, session: Session, id: CredentialId, first: Sessions): Promise<boolean> {
  if (first.oldest !== null) return first.oldest >= lastingSeconds
  await env.sleep(lastingSeconds * 1000)
  const [second] = await ask<Sessions & Record<string, unknown>>(session, query, [id])
  return (second?.pids ?? []).some((pid) => first.pids?.includes(pid))
}
