import pg from 'pg'
import { assertInTime, RotationError, systemCodeOf } from '../../core/errors.js'
import type { Context, Progress } from '../../core/ports/rotator.js'
import type { CredentialId } from '../../core/ports/words.js'
import { assertName } from '../sql/names.js'
import { strategyOf } from '../sql/pair.js'
import { ask } from './ask.js'
import { adminOf } from './check.js'
import { statementError } from './errors.js'
import { grantOf } from './grants.js'
import { adminLogin, mustLogin, within } from './logins.js'
import type { Session } from './session.js'
import { dialect, type PostgresValue } from './value.js'

/**
 * Disables the login that left: nobody can log in with it any more, by a password or in any other way. Role, grants and ownership stay. With one
 * login there is nothing to disable: its old password is gone. Open sessions continue unless the policy, or a revocation, ends them.
 */
export async function retire(context: Context<PostgresValue>, id: CredentialId): Promise<Progress> {
  if (strategyOf(context.policy) !== 'alternate') return { done: true }
  const admin = adminOf(context)
  if (admin === undefined || id === admin.user || id === context.current?.user) {
    const why = 'it is current, the administrator itself, or there is no administrator'
    throw new RotationError('internal', `${id} cannot be retired: ${why}.`, { next: 'Report it; nothing was changed.' })
  }
  await within(await adminLogin(context, admin), async (session) => {
    await disable(context, session, id)
    if (context.endSessions) await end(context, session, id, undefined)
  })
  return { done: true }
}

/** Ends the sessions of a login whose password was replaced. Only sessions older than the publication hold the outgoing password. */
export async function endSessions(context: Context<PostgresValue>, id: CredentialId): Promise<void> {
  const admin = adminOf(context)
  const session = admin ? adminLogin(context, admin) : mustLogin(context, context.current as PostgresValue)
  await within(await session, (one) => end(context, one, id, context.publishedAt ?? context.env.now()))
}

const noSuchRole = '42704'

/** Takes LOGIN and the password from a role. A role that is gone already is done. */
async function disable(context: Context<PostgresValue>, session: Session, user: string): Promise<void> {
  assertName(user, 'username', dialect.names)
  assertInTime(context, `the login ${user} was ended`)
  try {
    await session.query(`BEGIN READ WRITE; ALTER ROLE ${pg.escapeIdentifier(user)} NOLOGIN PASSWORD NULL; COMMIT`)
  } catch (cause) {
    if (systemCodeOf(cause) === noSuchRole) return
    throw statementError(cause, `${session.user} could not end the login ${user}`, grantOf([user], session.user))
  }
}

async function end(context: Context<PostgresValue>, session: Session, user: string, before: number | undefined): Promise<void> {
  assertInTime(context, `the sessions of ${user} were ended`)
  await ask(
    session,
    `select pg_terminate_backend(pid) from pg_stat_activity
     where usename = $1 and pid <> pg_backend_pid() and ($2::float8 is null or backend_start < to_timestamp($2::float8 / 1000))`,
    [user, before ?? null],
  )
}
