import pg from 'pg'
import { assertInTime, RotationError } from '../../core/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import { assertName } from '../sql/names.js'
import { strategyOf } from '../sql/pair.js'
import { adminOf } from './check.js'
import { statementError } from './errors.js'
import { adminLogin, forgetRefusal, loginOnce, within } from './logins.js'
import { hashOf } from './policy.js'
import { assertServer } from './pooler.js'
import type { Session } from './session.js'
import { dialect, type PostgresValue } from './value.js'
import { iterationsFor, saltFor, scramVerifier } from './verifier.js'

interface Prelude {
  readonly pid: number
  readonly standby: boolean
  readonly iterations: string | null
}

const preludeQuery = `
select pg_backend_pid() as pid, pg_is_in_recovery() as standby,
 current_setting('scram_iterations', true) as iterations`

/** Makes the server accept `pending`: one login, one look, one statement. To repeat it with the same pending value changes nothing that matters. */
export async function change(context: Context<PostgresValue>, pending: PostgresValue): Promise<void> {
  const session = await authority(context, pending)
  if (session === 'done') return
  await within(session, async () => {
    const [prelude] = await ask<Prelude>(session, preludeQuery)
    assertServer(session, prelude?.pid, pending)
    if (prelude?.standby !== false) {
      throw new RotationError('target_read_only', `${pending.host} is a read-only replica.`, {
        field: 'host',
        next: "Point the secret's host at the writable endpoint; nothing was changed.",
      })
    }
    await setPassword(session, context, pending, prelude.iterations)
    forgetRefusal(context, pending)
  })
}

/** Logs in as the administrator where there is one, else as the account itself: with current, then pending (then it is done already), then previous. */
async function authority(context: Context<PostgresValue>, pending: PostgresValue): Promise<Session | 'done'> {
  const admin = adminOf(context)
  if (admin !== undefined) return adminLogin(context, admin)
  const { current } = context
  const own = current?.user === pending.user ? current : undefined
  let refusal: RotationError | undefined
  for (const candidate of [async () => own, async () => pending, async () => context.previous?.()]) {
    const value = await candidate()
    if (value === undefined || value.user !== pending.user) continue
    const result = await loginOnce(context, value)
    if ('session' in result) {
      if (value !== pending) return result.session
      await result.session.end()
      return 'done'
    }
    if (value === pending && result.proven) return 'done'
    if (!result.refused) throw result.failed
    refusal = result.failed
  }
  throw refusal ?? new RotationError('internal', 'No credential is known to change the password with.', { next: 'Report it.' })
}

async function setPassword(
  session: Session,
  context: Context<PostgresValue>,
  pending: PostgresValue,
  iterations: string | null,
): Promise<void> {
  const { policy } = context
  assertName(pending.user, 'username', dialect.names)
  const role = pg.escapeIdentifier(pending.user)
  const verifier = () => scramVerifier(pending.password, saltFor(context, pending.user), iterationsFor(iterations))
  const secret = hashOf(policy) === 'server' ? pending.password.reveal() : verifier()
  // An account that acts as its owner role must return to being itself. It is named, because CURRENT_USER would mean the owner.
  const self = session.user === pending.user ? 'SET LOCAL ROLE NONE; ' : ''
  const login = strategyOf(policy) === 'alternate' ? 'LOGIN ' : '' // its last retirement removed that, too
  assertInTime(context, `the password of ${pending.user} was set`)
  try {
    await session.query(`BEGIN READ WRITE; ${self}ALTER ROLE ${role} ${login}PASSWORD ${pg.escapeLiteral(secret)}; COMMIT`)
  } catch (cause) {
    throw statementError(cause, `${session.user} could not set the password of ${pending.user}`)
  }
}

/** Runs one query. Its errors are those of statementError. */
export async function ask<R extends pg.QueryResultRow>(session: Session, text: string, values?: readonly unknown[]): Promise<readonly R[]> {
  try {
    return await session.query<R>(text, values)
  } catch (cause) {
    throw statementError(cause, `${session.user} could not ask the server`)
  }
}
