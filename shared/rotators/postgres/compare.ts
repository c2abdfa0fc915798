import type { Context, Difference } from '../../core/ports/rotator.js'
import { differencesAreFatal } from '../sql/policy.js'
import { ask } from './ask.js'
import { actsIn, attributes, type Card, cardColumns } from './cards.js'
import { copyLogin } from './explain.js'
import { within } from './logins.js'
import { assertServer } from './pooler.js'
import { lackingQuery } from './privileges.js'
import type { Session } from './session.js'
import { type Names, twinGaps } from './twins.js'
import type { PostgresValue } from './value.js'

interface Identity {
  readonly session_user: string
  readonly current_user: string
  readonly database: string
  readonly pid: number
  readonly version: number
}

/** What the two logins are compared by. */
interface Compared extends Card {
  readonly member_of: unknown
  readonly own_things: number
  readonly inherits_other: boolean
}

const cardsQuery = `
select ${cardColumns},
 (select coalesce(jsonb_agg(to_jsonb(m) - 'oid' - 'member' - 'grantor' - 'roleid' || jsonb_build_object('of', g.rolname) order by g.rolname), '[]')
    from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid and g.rolname not in ($1, $2)) as member_of,
 (select count(*)::int from pg_shdepend p where p.refclassid = 'pg_authid'::regclass and p.refobjid = r.oid) as own_things,
 pg_has_role($2::name, r.oid, 'USAGE') as inherits_other
from pg_roles r where r.rolname in ($1, $2)`

const identityQuery = `
select session_user, current_user, current_database() as database, pg_backend_pid() as pid,
 current_setting('server_version_num')::int as version`

/** Both logins, and the role as which each of them acts. */
interface Pair {
  readonly from: Compared
  readonly to: Compared
  readonly version: number
  readonly database: string
  readonly roles: Names
  /** Both act as one role, so that what is decided by current_user is the same for both. */
  readonly shares: boolean
}

/** Logs in once with the new credential, and names each thing that it has or lacks against the outgoing one. */
export async function verify(context: Context<PostgresValue>, pending: PostgresValue): Promise<readonly Difference[]> {
  return within(await copyLogin(context, pending), async (session) => {
    const [identity] = await ask<Identity & Record<string, unknown>>(session, identityQuery)
    assertServer(session, identity?.pid, pending)
    const fatal = differencesAreFatal(context.policy)
    const differences = identity ? sameLogin(identity, pending) : []
    const outgoing = context.current
    if (!identity || outgoing === undefined || outgoing.user === pending.user) return differences
    const cards = await ask<Compared>(session, cardsQuery, [outgoing.user, pending.user])
    const cardOf = (user: string) => cards.find(({ rolname }) => rolname === user)
    const from = cardOf(outgoing.user)
    const to = cardOf(pending.user)
    if (from === undefined || to === undefined) {
      const state = (card: Card | undefined): string => (card ? 'exists' : 'is gone')
      return [...differences, { what: 'role', outgoing: state(from), incoming: state(to), fatal: false }]
    }
    const pair = pairOf(from, to, identity)
    const gaps = [...sameActing(pair), ...sameCard(pair), ...(await lacking(session, pair)), ...(await twinGaps(session, pair))]
    return [...differences, ...gaps.map((gap) => ({ fatal, ...gap }))]
  })
}

function sameLogin({ session_user: incoming }: Identity, { user }: PostgresValue): Difference[] {
  return incoming === user ? [] : [{ what: 'session_user', outgoing: user, incoming, fatal: true }]
}

function pairOf(from: Compared, to: Compared, { current_user, database, version }: Identity): Pair {
  const outgoing = actsIn(from, database)
  const roles = { from: from.rolname, to: to.rolname, outgoing, incoming: current_user }
  return { from, to, version, database, roles, shares: outgoing === current_user }
}

type Gap = Omit<Difference, 'fatal'>

/** A pair acts as one owner role by ALTER ROLE … SET role. Where that is lost, the login still works, but as another role. */
function sameActing({ from, to, database, roles: { outgoing, incoming }, shares }: Pair): readonly Gap[] {
  const isPlain = outgoing === from.rolname && actsIn(to, database) === to.rolname && incoming === to.rolname
  if (!shares) return isPlain ? [] : [{ what: 'current_user', outgoing, incoming }]
  const scopes = new Set([...Object.keys(from.acting), ...Object.keys(to.acting)])
  scopes.delete(database)
  return [...scopes].sort().flatMap((scope) => {
    const [one, other] = [actsIn(from, scope), actsIn(to, scope)]
    const where = scope === '*' ? 'other databases' : `database ${scope}`
    return one === other ? [] : [{ what: `current_user in ${where}`, outgoing: one, incoming: other }]
  })
}

/** Shows a value for the comparison. Settings are a set: their order does not matter. */
const shown = (value: unknown): string | undefined =>
  JSON.stringify(value, (_key, inner: unknown) =>
    Array.isArray(inner) && inner.every((one) => typeof one === 'string') ? [...inner].sort() : inner,
  )

/** Attributes that the role decides as which a login acts. */
const ofTheActingRole: ReadonlySet<string> = new Set(['rolinherit', 'rolcreaterole', 'rolcreatedb', 'rolbypassrls'])

function sameCard({ from, to, roles: { outgoing }, shares }: Pair): readonly Gap[] {
  // What a login may do beside the role as which both act changes nothing for who logs in.
  const compared = attributes.filter((name) => !(shares && ofTheActingRole.has(name)))
  const isThird = outgoing !== from.rolname && outgoing !== to.rolname
  const names = [...compared, 'settings', ...(isThird ? ['member_of'] : [])]
  const [a, b] = shares ? [withoutRole(from), withoutRole(to)] : [from, to]
  const found = names.flatMap((what) => {
    const [outgoing, incoming] = [shown(a[what]), shown(b[what])]
    return outgoing === incoming ? [] : [{ what, outgoing: outgoing ?? 'nothing', incoming: incoming ?? 'nothing' }]
  })
  const both = from.rolsuper ? [{ what: 'superuser', outgoing: 'yes', incoming: 'superusers do not alternate' }] : []
  return [...both, ...found]
}

/** The card without the setting by which a login acts as a role; current_user has shown what that does. */
function withoutRole(card: Compared): Compared {
  const lists = Object.entries(card.settings).map(
    ([name, list]) => [name, (list ?? []).filter((text) => !text.startsWith('role='))] as const,
  )
  return { ...card, settings: Object.fromEntries(lists.filter(([, list]) => list.length > 0)) }
}

/**
 * Compares the access lists. A pair that shares a role can lack nothing that the outgoing login has through it. Nor can a login that inherits
 * everything from the outgoing one.
 */
async function lacking(session: Session, { from, to, version, roles, shares }: Pair): Promise<readonly Gap[]> {
  const hasNothing = from.own_things === 0 || roles.outgoing === from.rolname
  if ((shares && hasNothing) || from.inherits_other) return []
  const acting = roles.outgoing !== from.rolname
  const rows = await ask<{ object: string; lacks: string }>(session, lackingQuery(version), [from.rolname, to.rolname])
  return rows
    .filter(({ lacks }) => !(acting && lacks === 'MEMBER'))
    .map(({ object, lacks }) => ({ what: object, outgoing: lacks, incoming: 'lacks it' }))
}
