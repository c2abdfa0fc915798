import { RotationError } from '../../core/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import { ask } from './ask.js'
import { type Card, cardOf } from './cards.js'
import type { Session } from './session.js'
import type { PostgresValue } from './value.js'

/** What one question shows before a login is changed. */
export interface Look {
  /** Of the process that answers. */
  readonly pid: number
  readonly standby: boolean
  /** What the server's own setting asks for; null before version 16. */
  readonly iterations: string | null
  readonly version: number
  /** The role that asks. */
  readonly me: Card
  readonly incoming: Card | null
  readonly outgoing: Card | null
  /** The role that the outgoing login acts as, or itself; null where that role does not exist. */
  readonly primary: string | null
  readonly primaryIsSuper: boolean
  /** The incoming login is a member of the outgoing one or of the role that this one acts as, or the other way around; or it was set to act as that. */
  readonly belongs: boolean
  /** Roles that `me` would have to administer, and does not. */
  readonly withoutAdmin: readonly string[]
}

// $1 is the incoming login, $2 the outgoing one. Before version 16, CREATEROLE is a right over every role that is no superuser.
const query = `
with look as (select ${cardOf('session_user')} as me, ${cardOf('$1')} as incoming, ${cardOf('$2')} as outgoing),
 one as (select *, (select r.rolname from look, pg_roles r where r.rolname = coalesce(outgoing->>'acts', $2)) as primary from look)
select pg_backend_pid() as pid, pg_is_in_recovery() as standby, current_setting('scram_iterations', true) as iterations,
 current_setting('server_version_num')::int as version, one.*,
 one.incoming->>'acts' = one.primary or exists (select from pg_roles i, pg_roles p where i.rolname = $1 and p.rolname in ($2, one.primary)
   and (pg_has_role(i.oid, p.oid, 'MEMBER') or pg_has_role(p.oid, i.oid, 'MEMBER'))) as belongs,
 exists (select from pg_roles p where p.rolname = one.primary and p.rolsuper) as "primaryIsSuper",
 array(select r.rolname::text from pg_roles r where r.rolname in ($2, one.primary)
   and not (one.me->>'rolsuper')::boolean and current_setting('server_version_num')::int >= 160000
   and not pg_has_role(session_user, r.oid, 'MEMBER WITH ADMIN OPTION')) as "withoutAdmin"
from one`

/** Looks at the server and at both logins in one question. */
export async function lookAtRoles(session: Session, { current }: Context<PostgresValue>, pending: PostgresValue): Promise<Look> {
  const [look] = await ask<Look & Record<string, unknown>>(session, query, [pending.user, current?.user ?? pending.user])
  if (look !== undefined) return look
  throw new RotationError('internal', 'The server answered a question with no row.', { next: 'Report it; nothing was changed.' })
}

/** target_read_only for a replica. */
export function assertWritable({ standby }: Look, pending: PostgresValue): void {
  if (!standby) return
  throw new RotationError('target_read_only', `${pending.host} is a read-only replica.`, {
    field: 'host',
    next: "Point the secret's host at the writable endpoint; nothing was changed.",
  })
}
