import type { Context, Difference } from '../../core/ports/rotator.js'
import { differencesAreFatal } from '../sql/policy.js'
import { ask } from './change.js'
import { copyLogin, within } from './logins.js'
import { lackingQuery } from './privileges.js'
import type { Session } from './session.js'
import type { PostgresValue } from './value.js'

interface Identity {
  readonly session_user: string
  readonly current_user: string
  readonly database: string
  readonly version: number
}

/** All that a role is, in one row that any role may read. */
interface Card {
  readonly rolname: string
  readonly rolsuper: boolean
  readonly settings: Readonly<Record<string, readonly string[] | null>>
  readonly own_things: number
  readonly inherits_other: boolean
  readonly [attribute: string]: unknown
}

const attributes = [
  'rolsuper',
  'rolinherit',
  'rolcreaterole',
  'rolcreatedb',
  'rolcanlogin',
  'rolreplication',
  'rolbypassrls',
  'rolconnlimit',
  'rolvaliduntil',
] as const

const cardQuery = `
select r.rolname, ${attributes.map((name) => (name === 'rolvaliduntil' ? "nullif(r.rolvaliduntil, 'infinity')::text as rolvaliduntil" : `r.${name}`)).join(', ')},
 (select coalesce(jsonb_object_agg(coalesce(d.datname, '*'), s.setconfig), '{}') from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase where s.setrole = r.oid) as settings,
 (select coalesce(jsonb_agg(to_jsonb(m) - 'oid' - 'member' - 'grantor' - 'roleid' || jsonb_build_object('of', m.roleid::regrole::text) order by m.roleid::regrole::text), '[]')
    from pg_auth_members m where m.member = r.oid) as member_of,
 (select count(*)::int from pg_shdepend p where p.refclassid = 'pg_authid'::regclass and p.refobjid = r.oid) as own_things,
 pg_has_role($2::name, r.oid, 'USAGE') as inherits_other
from pg_roles r where r.rolname in ($1, $2)`

/** One login with the new credential; what it has or lacks against the outgoing one, each difference by name. */
export async function verify(context: Context<PostgresValue>, pending: PostgresValue): Promise<readonly Difference[]> {
  return within(await copyLogin(context, pending), async (session) => {
    const [identity] = await ask<Identity & Record<string, unknown>>(
      session,
      "select session_user, current_user, current_database() as database, current_setting('server_version_num')::int as version",
    )
    const fatal = differencesAreFatal(context.policy)
    const differences = identity ? sameLogin(identity, pending) : []
    const outgoing = context.current
    if (!identity || outgoing === undefined || outgoing.user === pending.user) return differences
    const cards = await ask<Card>(session, cardQuery, [outgoing.user, pending.user])
    const [from, to] = [outgoing.user, pending.user].map((user) => cards.find(({ rolname }) => rolname === user))
    if (from === undefined || to === undefined)
      return [...differences, { what: 'role', outgoing: from ? 'exists' : 'is gone', incoming: to ? 'exists' : 'is gone', fatal: false }]
    return [
      ...differences,
      ...sameActing(from, identity, fatal),
      ...sameCard(from, to, identity, fatal),
      ...(await lacking(session, from, identity, fatal)),
    ]
  })
}

const sameLogin = (identity: Identity, pending: PostgresValue): Difference[] =>
  identity.session_user === pending.user
    ? []
    : [{ what: 'session_user', outgoing: pending.user, incoming: identity.session_user, fatal: true }]

/** A setting for this database wins over one for all. */
function actsAs({ settings }: Card, { database }: Identity): string | undefined {
  const roles = [settings[database], settings['*']].map((list) => (list ?? []).find((text) => text.startsWith('role=')))
  return roles.find((text) => text !== undefined)?.slice('role='.length)
}

/** A pair acts as one owner role by ALTER ROLE … SET role; where that is lost the login still works, as somebody else. */
function sameActing(from: Card, identity: Identity, fatal: boolean): Difference[] {
  const owner = actsAs(from, identity)
  const expected = owner ?? identity.session_user
  return identity.current_user === expected ? [] : [{ what: 'current_user', outgoing: expected, incoming: identity.current_user, fatal }]
}

/** Settings are a set: in which order they were made does not matter. */
const shown = (value: unknown): string | undefined =>
  JSON.stringify(value, (_key, inner: unknown) =>
    Array.isArray(inner) && inner.every((one) => typeof one === 'string') ? [...inner].sort() : inner,
  )

function sameCard(from: Card, to: Card, identity: Identity, fatal: boolean): Difference[] {
  const acting = actsAs(from, identity) !== undefined
  const names = [...attributes, 'settings', ...(acting ? ['member_of'] : [])]
  const found = names.flatMap((what) => {
    const [outgoing, incoming] = [shown(from[what]), shown(to[what])]
    return outgoing === incoming ? [] : [{ what, outgoing: outgoing ?? 'nothing', incoming: incoming ?? 'nothing', fatal }]
  })
  const both = from.rolsuper ? [{ what: 'superuser', outgoing: 'yes', incoming: 'superusers do not alternate', fatal }] : []
  return [...both, ...found]
}

/** An acting pair whose outgoing login owns nothing, and a member that inherits all of it, can lack nothing; else the access lists are compared. */
async function lacking(session: Session, from: Card, identity: Identity, fatal: boolean): Promise<Difference[]> {
  const acting = actsAs(from, identity) !== undefined
  if ((acting && from.own_things === 0) || from.inherits_other) return []
  const rows = await ask<{ object: string; lacks: string }>(session, lackingQuery(identity.version), [from.rolname, session.user])
  return rows
    .filter(({ lacks }) => !(acting && lacks === 'MEMBER'))
    .map(({ object, lacks }) => ({ what: object, outgoing: lacks, incoming: 'lacks it', fatal }))
}
