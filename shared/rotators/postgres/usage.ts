import type { Context, Usage } from '../../core/ports/rotator.js'
import type { CredentialId } from '../../core/ports/words.js'
import { ask } from './change.js'
import { adminOf } from './check.js'
import { adminLogin, mustLogin, within } from './logins.js'
import { strategyOf } from './policy.js'
import type { PostgresValue } from './value.js'

interface Sessions {
  readonly sessions: number
  readonly blind: boolean
  readonly places: readonly (string | null)[] | null
}

const query = `
select count(*)::int as sessions, coalesce(bool_and(backend_start is null), false) as blind,
 array_agg(distinct host(client_addr) || ' ' || application_name) as places
from pg_stat_activity where usename = $1 and pid <> pg_backend_pid() and application_name <> 'keyturn'`

/**
 * Who is logged in as `id` now, from the server's own list. A role without pg_read_all_stats sees how many, not since when: enough for a pair,
 * `unknown` for one account whose old and new sessions look alike. No session now does not prove that nobody holds the credential.
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
        evidence: `${row.sessions} sessions, but ${session.user} may not see since when; grant it pg_read_all_stats`,
      }
    }
    const places = (row.places ?? []).filter((place) => place !== null)
    const evidence = `${row.sessions} sessions${places.length > 0 ? ` from ${places.join(', ')}` : ''}`
    return { inUse: row.sessions > 0, ...(row.sessions > 0 ? { lastUsedAt: context.env.now() } : {}), evidence }
  })
}
