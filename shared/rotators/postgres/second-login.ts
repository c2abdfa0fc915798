import pg from 'pg'
import { RotationError } from '../../core/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import { failPolicy } from '../sql/errors.js'
import { isCloneOf } from '../sql/pair.js'
import { actsIn, type Card, ignoring } from './cards.js'
import { type Copies, copiesOf, defaultStatements, membershipStatement, settingStatement } from './copies.js'
import { failAdmin } from './grants.js'
import type { Look } from './look.js'
import type { Session } from './session.js'
import type { PostgresValue } from './value.js'

/** Refuses to touch a login that nothing connects with the secret, or that must not take turns. bad_policy. */
export async function assertPair(look: Look, context: Context<PostgresValue>, { user, database }: PostgresValue): Promise<void> {
  const { incoming, outgoing, roles, returns } = look
  const first = context.current?.user
  if (first === undefined || first === user) return
  const root = [outgoing, incoming].find((card) => card?.rolsuper === true)?.rolname ?? roles.find(({ isSuper }) => isSuper)?.role
  if (root !== undefined) failPolicy('strategy', `says alternate, and ${root} is a superuser`, 'Superusers do not take turns: use replace.')
  if (incoming === null) return
  const primary = outgoing === null ? first : actsIn(outgoing, database)
  if (roles.some(({ holds }) => holds)) return
  // Back to the login that the outgoing one was made beside.
  if (returns && isCloneOf(first, user) && incoming.rolcanlogin) return
  if (returns && (await context.previous?.())?.user === user) return
  const why = `names ${user}, which already exists and is not a member of ${primary}; it was left as it is`
  const roleNames = `${pg.escapeIdentifier(primary)} TO ${pg.escapeIdentifier(user)}`
  failPolicy('pair', why, `Name another login. If it is the second login of this secret, make it a member: \`GRANT ${roleNames};\`.`)
}

/**
 * The statements that make the login `user` beside the outgoing one, without its password. target_denied with the one statement that the
 * administrator lacks.
 */
export async function secondLogin(session: Session, look: Look, user: string, mayLogIn: boolean): Promise<readonly string[]> {
  const first = look.outgoing
  if (first === null) throw missing(user)
  failAdmin(look)
  const copies = await copiesOf(session, first.rolname, look.version)
  const role = pg.escapeIdentifier(user)
  const acts = !ignoring.includes(look.version)
  return [
    `CREATE ROLE ${role} ${mayLogIn ? 'LOGIN' : 'NOLOGIN'} ${attributesOf(first, look, acts)}`,
    ...(acts ? actingStatements(first, look, user, copies) : plainStatements(first, look, user, copies)),
    ...copies.settings.filter(({ name }) => name !== 'role' || !acts).map((one) => settingStatement(user, one)),
    ...(copies.comment === null ? [] : [`COMMENT ON ROLE ${role} IS ${pg.escapeLiteral(copies.comment)}`]),
  ]
}

const membership = ({ version }: Look, group: string, user: string): string => {
  const options = version >= 160_000 ? ' WITH INHERIT TRUE, SET TRUE' : ''
  return `GRANT ${pg.escapeIdentifier(group)} TO ${pg.escapeIdentifier(user)}${options}`
}

/** In each database it works as the role as which the first login works there, so that both own and see the same. */
function actingStatements(first: Card, look: Look, user: string, { memberships }: Copies): readonly string[] {
  const everywhere = first.acting['*'] ?? first.rolname
  const scopes = Object.entries(first.acting).filter(([database]) => database !== '*')
  const granted = [...new Set([everywhere, ...scopes.map(([, role]) => role)])]
  // What the first login has beside the role as which it works comes through it, where the second one is its member.
  const others = granted.includes(first.rolname) ? [] : memberships.filter(({ role }) => !granted.includes(role))
  const role = pg.escapeIdentifier(user)
  return [
    ...granted.map((group) => {
      const own = memberships.find((one) => one.role === group)
      return own === undefined ? membership(look, group, user) : membershipStatement(user, own)
    }),
    ...others.map((one) => membershipStatement(user, one)),
    `ALTER ROLE ${role} SET role TO ${pg.escapeLiteral(everywhere)}`,
    ...scopes.map(
      ([database, as]) => `ALTER ROLE ${role} IN DATABASE ${pg.escapeIdentifier(database)} SET role TO ${pg.escapeLiteral(as)}`,
    ),
  ]
}

/** It inherits the first login, and gets as a copy what is not inherited. */
function plainStatements(first: Card, look: Look, user: string, copies: Copies): readonly string[] {
  const others = copies.memberships.filter(({ role }) => role !== first.rolname)
  return [
    membership(look, first.rolname, user),
    ...others.map((one) => membershipStatement(user, one)),
    ...asMember(look, user, copies.grantsItself, defaultStatements(user, first.rolname, copies)),
  ]
}

/** What the login itself decides; for one that acts as another role, the rest is decided by that role. Never SUPERUSER. */
function attributesOf(first: Card, { me, version }: Look, acts: boolean): string {
  // From version 16 on, an administrator gives what it has. Before, CREATEROLE can give all but these two.
  const mayGive = (own: boolean, always: boolean): boolean => me.rolsuper || (version >= 160_000 ? own : always)
  const given = [
    ['REPLICATION', first.rolreplication, mayGive(me.rolreplication, false)],
    ['BYPASSRLS', first.rolbypassrls && !acts, mayGive(me.rolbypassrls, false)],
    ['CREATEDB', first.rolcreatedb && !acts, mayGive(me.rolcreatedb, true)],
    ['CREATEROLE', first.rolcreaterole && !acts, true],
    // From version 16 on the membership says what it inherits. Before, it would inherit nothing of the first login.
    ['NOINHERIT', first.rolinherit === false && !acts, version >= 160_000],
  ] as const
  const words = given.filter(([, has, may]) => has && may).map(([word]) => word)
  const until = first.rolvaliduntil === null ? [] : [`VALID UNTIL ${pg.escapeLiteral(first.rolvaliduntil)}`]
  return [...words, `CONNECTION LIMIT ${first.rolconnlimit}`, ...until].join(' ')
}

/** Only a member may set the default privileges of a role: the administrator is one for the length of the transaction. */
function asMember({ me, version }: Look, user: string, isMember: boolean, defaults: readonly string[]): readonly string[] {
  if (me.rolsuper || isMember) return defaults
  const [role, admin] = [pg.escapeIdentifier(user), pg.escapeIdentifier(me.rolname)]
  const [inherits, by] = version >= 160_000 ? [' WITH INHERIT TRUE', ` GRANTED BY ${admin}`] : ['', '']
  return [`GRANT ${role} TO ${admin}${inherits}`, ...defaults, `REVOKE ${role} FROM ${admin}${by}`]
}

const missing = (user: string): RotationError =>
  new RotationError('target_denied', `The login ${user} cannot be made: the login that the secret holds does not exist at the server.`, {
    next: 'Create that role, or put the credential of one that exists.',
  })
