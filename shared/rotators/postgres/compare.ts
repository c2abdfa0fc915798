import type { Context, Difference } from '../../core/ports/rotator.js'
import { differencesAreFatal } from '../sql/policy.js'
import { ask } from './change.js'
import { copyLogin, within } from './logins.js'
import { assertServer } from './pooler.js'
import { lackingQuery } from './privileges.js'
import type { Session } from './session.js'
import type { PostgresValue } from './value.js'

interface Identity {
  readonly session_user: string
  readonly current_user: string
  readonly database: string
  readonly pid: number
  readonly version: number
}

/** Everything about a role, in one row that any role may read. */
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

const validUntil = "nullif(r.rolvaliduntil, 'infinity')::text as rolvaliduntil"
const columns = attributes.map((name) => (name === 'rolvaliduntil' ? validUntil : `r.${name}`))
const cardQuery = `
select r.rolname, ${columns.join(', ')},
 (select coalesce(jsonb_object_agg(coalesce(d.datname, '*'), s.setconfig), '{}') from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase where s.setrole = r.oid) as settings,
 (select coalesce(jsonb_agg(to_jsonb(m) - 'oid' - 'member' - 'grantor' - 'roleid' || jsonb_build_object('of', m.roleid::regrole::text) order by m.roleid::regrole::text), '[]')
    from pg_auth_members m where m.member = r.oid) as member_of,
 (select count(*)::int from pg_shdepend p where p.refclassid = 'pg_authid'::regclass and p.refobjid = r.oid) as own_things,
 pg_has_role($2::name, r.oid, 'USAGE') as inherits_other
from pg_roles r where r.rolname in ($1, $2)`

/** Logs in once with the new credential, and names each thing that it has or lacks against the outgoing one. */
export async function verify(context: Context<PostgresValue>, pending: PostgresValue): Promise<readonly Difference[]> {
  return within(await copyLogin(context, pending), async (session) => {
    const [identity] = await ask<Identity & Record<string, unknown>>(session, identityQuery)
    assertServer(session, identity?.pid, pending)
    const fatal = differencesAreFatal(context.policy)
    const differences = identity ? sameLogin(identity, pending) : []
    const outgoing = context.current
    if (!identity || outgoing === undefined || outgoing.user === pending.user) return differences
    const cards = await ask<Card>(session, cardQuery, [outgoing.user, pending.user])
    const cardOf = (user: string) => cards.find(({ rolname }) => rolname === user)
    const from = cardOf(outgoing.user)
    const to = cardOf(pending.user)
    if (from === undefined || to === undefined) {
      const state = (card: Card | undefined): string => (card ? 'exists' : 'is gone')
      return [...differences, { what: 'role', outgoing: state(from), incoming: state(to), fatal: false }]
    }
    return [
      ...differences,
      ...sameActing(from, identity, fatal),
      ...sameCard(from, to, identity, fatal),
      ...(await lacking(session, from, identity, fatal)),
    ]
  })
}

const identityQuery = `
select session_user, current_user, current_database() as database, pg_backend_pid() as pid,
 current_setting('server_version_num')::int as version`

function sameLogin({ session_user: incoming }: Identity, { user }: PostgresValue): Difference[] {
  return incoming === user ? [] : [{ what: 'session_user', outgoing: user, incoming, fatal: true }]
}

/** The owner role as which a login acts. A setting for this database takes precedence over one for all. */
function actsAs({ settings }: Card, { database }: Identity): string | undefined {
  const roles = [settings[database], settings['*']].map((list) => (list ?? []).find((text) => text.startsWith('role=')))
  return roles.find((text) => text !== undefined)?.slice('role='.length)
}

/** A pair acts as one owner role by ALTER ROLE … SET role. Where that is lost, the login still works, but as another role. */
function sameActing(from: Card, identity: Identity, fatal: boolean): Difference[] {
  const outgoing = actsAs(from, identity) ?? identity.session_user
  const incoming = identity.current_user
  return incoming === outgoing ? [] : [{ what: 'current_user', outgoing, incoming, fatal }]
}

/** Shows a value for the comparison. Settings are a set: their order does not matter. */
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

/**
 * Compares the access lists. An acting pair whose outgoing login owns nothing can lack nothing. Nor can a login that inherits everything from the
 * outgoing one.
 */
async function lacking(session: Session, from: Card, identity: Identity, fatal: boolean): Promise<Difference[]> {
  const acting = actsAs(from, identity) !== undefined
  if ((acting && from.own_things === 0) || from.inherits_other) return []
  const rows = await ask<{ object: string; lacks: string }>(session, lackingQuery(identity.version), [from.rolname, session.user])
  return rows
    .filter(({ lacks }) => !(acting && lacks === 'MEMBER'))
    .map(({ object, lacks }) => ({ what: object, outgoing: lacks, incoming: 'lacks it', fatal }))
}
