import pg from 'pg'
import { RotationError } from '../../core/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import { failPolicy } from '../sql/errors.js'
import type { Card } from './cards.js'
import { copiesOf, defaultStatements, membershipStatement, settingStatement } from './copies.js'
import { failAdmin } from './grants.js'
import type { Look } from './look.js'
import type { Session } from './session.js'
import type { PostgresValue } from './value.js'

/** The releases of 2024-11 ignore ALTER ROLE … SET role (the first correction of CVE-2024-10978). The next ones repaired it. */
const ignoring: ReadonlySet<number> = new Set([140_014, 150_009, 160_005, 170_001])

/** How the second login of a pair comes to the rights of the first one. */
type Arrangement =
  /** Both act as one role, so they own and see the same. */
  | { readonly kind: 'acting'; readonly as: string }
  /** It inherits the first one, and gets what is not inherited as a copy. */
  | { readonly kind: 'plain'; readonly as: string }

/** Refuses to touch a login that nothing connects with the secret, or that must not take turns. bad_policy, target_denied. */
export async function assertPair(look: Look, context: Context<PostgresValue>, { user }: PostgresValue): Promise<void> {
  const first = context.current?.user
  if (first === undefined || first === user) return
  const superuser = [look.outgoing, look.incoming].find((card) => card?.rolsuper === true)?.rolname
  const root = look.primaryIsSuper ? look.primary : superuser
  if (root !== undefined && root !== null)
    failPolicy('strategy', `says alternate, and ${root} is a superuser`, 'Superusers do not take turns: use replace.')
  if (look.incoming === null || look.belongs) return
  const previous = await context.previous?.()
  if (previous?.user === user) return // the secret held this login before
  const why = `names ${user}, which already exists and is not a member of ${look.primary ?? first}; it was left as it is`
  const roles = `${pg.escapeIdentifier(look.primary ?? first)} TO ${pg.escapeIdentifier(user)}`
  failPolicy('pair', why, `Name another login. If it is the second login of this secret, make it a member: \`GRANT ${roles};\`.`)
}

/**
 * The statements that make the login `user` beside the outgoing one, without its password. target_denied with the one statement that the
 * administrator lacks, bad_policy where the role as which the first login acts is a superuser's or is gone.
 */
export async function secondLogin(session: Session, look: Look, user: string, mayLogIn: boolean): Promise<readonly string[]> {
  const first = look.outgoing
  if (first === null) throw missing(user)
  if (look.primary === null) {
    const next = `Set the role again: \`ALTER ROLE ${pg.escapeIdentifier(first.rolname)} SET role TO …\`.`
    return failPolicy('pair', `cannot be completed: ${first.rolname} acts as ${first.acts}, which does not exist`, next)
  }
  failAdmin(look)
  const kind = ignoring.has(look.version) ? 'plain' : 'acting'
  return statements(session, look, first, user, { kind, as: look.primary }, mayLogIn)
}

async function statements(
  session: Session,
  look: Look,
  first: Card,
  user: string,
  { kind, as }: Arrangement,
  mayLogIn: boolean,
): Promise<readonly string[]> {
  const copies = await copiesOf(session, first.rolname, look.version)
  const { settings, memberships, comment } = copies
  const role = pg.escapeIdentifier(user)
  const options = look.version >= 160_000 ? ' WITH INHERIT TRUE, SET TRUE' : ''
  const acting = kind === 'acting'
  const others = acting && as === first.rolname ? [] : memberships.filter((one) => one.role !== as)
  return [
    `CREATE ROLE ${role} ${mayLogIn ? 'LOGIN' : 'NOLOGIN'} ${attributesOf(first, look, acting)}`,
    `GRANT ${pg.escapeIdentifier(as)} TO ${role}${options}`,
    ...others.map((one) => membershipStatement(user, one)),
    ...(acting
      ? [`ALTER ROLE ${role} SET role TO ${pg.escapeLiteral(as)}`]
      : asMember(look, user, defaultStatements(user, first.rolname, copies))),
    ...settings.map((one) => settingStatement(user, one)),
    ...(comment === null ? [] : [`COMMENT ON ROLE ${role} IS ${pg.escapeLiteral(comment)}`]),
  ]
}

/** What the login itself decides; for one that acts as another role, the rest is decided by that role. Never SUPERUSER. */
function attributesOf(first: Card, { me, version }: Look, acting: boolean): string {
  // From version 16 on, an administrator gives what it has. Before, CREATEROLE can give all but these two.
  const mayGive = (own: boolean, always: boolean): boolean => me.rolsuper || (version >= 160_000 ? own : always)
  const given = [
    ['REPLICATION', first.rolreplication, mayGive(me.rolreplication, false)],
    ['BYPASSRLS', first.rolbypassrls && !acting, mayGive(me.rolbypassrls, false)],
    ['CREATEDB', first.rolcreatedb && !acting, mayGive(me.rolcreatedb, true)],
    ['CREATEROLE', first.rolcreaterole && !acting, true],
  ] as const
  const words = given.filter(([, has, may]) => has && may).map(([word]) => word)
  const until = first.rolvaliduntil === null ? [] : [`VALID UNTIL ${pg.escapeLiteral(first.rolvaliduntil)}`]
  return [...words, `CONNECTION LIMIT ${first.rolconnlimit}`, ...until].join(' ')
}

/** Only a member may set the default privileges of a role: the administrator is one for the length of the transaction. */
function asMember({ me, version }: Look, user: string, defaults: readonly string[]): readonly string[] {
  if (me.rolsuper) return defaults
  const [role, admin] = [pg.escapeIdentifier(user), pg.escapeIdentifier(me.rolname)]
  const granted = version >= 160_000 ? ` GRANTED BY ${admin}` : ''
  return [`GRANT ${role} TO ${admin}`, ...defaults, `REVOKE ${role} FROM ${admin}${granted}`]
}

const missing = (user: string): RotationError =>
  new RotationError('target_denied', `The login ${user} cannot be made: the login that the secret holds does not exist at the server.`, {
    next: 'Create that role, or put the credential of one that exists.',
  })
