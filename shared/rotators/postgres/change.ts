import pg from 'pg'
import { assertInTime, RotationError } from '../../core/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import { assertName } from '../sql/names.js'
import { strategyOf } from '../sql/pair.js'
import { adminOf } from './check.js'
import { statementError } from './errors.js'
import { grantOf } from './grants.js'
import { adminLogin, adminLoginIn, forgetRefusal, loginOnce, within } from './logins.js'
import { assertWritable, type Look, lookAtRoles } from './look.js'
import { hashOf } from './policy.js'
import { assertServer } from './pooler.js'
import { assertPair, secondLogin } from './second-login.js'
import type { Session } from './session.js'
import { assertUsable } from './usable.js'
import { dialect, type PostgresValue } from './value.js'
import { iterationsFor, saltFor, scramVerifier } from './verifier.js'

/** Makes the server accept `pending`: one login, one look, one message. To repeat it with the same pending value changes nothing that matters. */
export async function change(context: Context<PostgresValue>, pending: PostgresValue): Promise<void> {
  const session = await authority(context, pending)
  if (session === 'done') return
  await within(session, async () => {
    const look = await lookAtRoles(session, context, pending)
    assertServer(session, look.pid, pending)
    assertWritable(look, pending)
    await assertPair(look, context, pending)
    assertUsable(look, context, pending)
    const makes = strategyOf(context.policy) === 'alternate' && look.incoming === null
    const made = makes ? await secondLogin(session, look, pending.user, true) : []
    await setPassword(session, context, pending, look, made)
    forgetRefusal(context, pending)
  })
}

/** Logs in as the administrator where there is one, else as the account itself: with current, then pending (then it is done already), then previous. */
async function authority(context: Context<PostgresValue>, pending: PostgresValue): Promise<Session | 'done'> {
  const admin = adminOf(context)
  if (admin !== undefined)
    return strategyOf(context.policy) === 'alternate' ? adminLoginIn(context, admin, pending) : adminLogin(context, admin)
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

/** One message, so one transaction: it makes the login, where `made` says how, and sets its password, or it changes nothing. */
async function setPassword(
  session: Session,
  context: Context<PostgresValue>,
  pending: PostgresValue,
  look: Look,
  made: readonly string[],
): Promise<void> {
  const { policy } = context
  assertName(pending.user, 'username', dialect.names)
  const role = pg.escapeIdentifier(pending.user)
  const verifier = () => scramVerifier(pending.password, saltFor(context, pending.user), iterationsFor(look.iterations))
  const secret = hashOf(policy) === 'server' ? pending.password.reveal() : verifier()
  // An account that acts as its owner role must return to being itself. It is named, because CURRENT_USER would mean the owner.
  const self = session.user === pending.user ? ['SET LOCAL ROLE NONE'] : []
  const login = strategyOf(policy) === 'alternate' ? 'LOGIN ' : '' // its last retirement removed that, too
  const set = `ALTER ROLE ${role} ${login}PASSWORD ${pg.escapeLiteral(secret)}`
  assertInTime(context, `the password of ${pending.user} was set`)
  try {
    await session.query(['BEGIN READ WRITE', ...self, ...made, set, 'COMMIT'].join('; '))
  } catch (cause) {
    if (made.length > 0) throw statementError(cause, `${session.user} could not make the login ${pending.user}`)
    throw statementError(cause, `${session.user} could not set the password of ${pending.user}`, grantOf([pending.user], session.user))
  }
}
