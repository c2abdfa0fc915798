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
  /** The role with whose rights the session works. */
  readonly me: Card
  readonly incoming: Card | null
  readonly outgoing: Card | null
  /** The outgoing login, and each role that its settings name and as which it may act. */
  readonly roles: readonly RoleSeen[]
  /** The outgoing login is a member of the incoming one. */
  readonly returns: boolean
}
interface RoleSeen {
  readonly role: string
  readonly isSuper: boolean
  /** The incoming login is a member of it. */
  readonly holds: boolean
  /** `me` may grant it and set its password. */
  readonly mayGrant: boolean
}

/**
 * Whether the session may grant the role `row`. From version 16 on that takes ADMIN OPTION, held by a role whose rights it inherits. Before, CREATEROLE
 * is a right over every role that is no superuser.
 */
export const mayGrant = (row: string): string => `((select rolsuper from pg_roles where rolname = current_user)
  or case when current_setting('server_version_num')::int < 160000 then not ${row}.rolsuper
    else exists (select from pg_auth_members held where held.roleid = ${row}.oid and held.admin_option and pg_has_role(current_user, held.member, 'USAGE')) end)`

// $1 is the incoming login, $2 the outgoing one.
const query = `
with one as (select ${cardOf('current_user')} as me, ${cardOf('$1')} as incoming, ${cardOf('$2')} as outgoing)
select pg_backend_pid() as pid, pg_is_in_recovery() as standby, current_setting('scram_iterations', true) as iterations,
 current_setting('server_version_num')::int as version, one.*,
 (select coalesce(jsonb_agg(jsonb_build_object('role', p.rolname, 'isSuper', p.rolsuper, 'mayGrant', ${mayGrant('p')},
    'holds', exists (select from pg_roles i where i.rolname = $1 and pg_has_role(i.oid, p.oid, 'MEMBER'))) order by p.rolname), '[]')
  from pg_roles p where p.rolname = $2 or p.rolname in (select value from jsonb_array_elements_text(one.outgoing->'named'))) as roles,
 exists (select from pg_roles i, pg_roles o where i.rolname = $1 and o.rolname = $2 and pg_has_role(o.oid, i.oid, 'MEMBER')) as returns
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
