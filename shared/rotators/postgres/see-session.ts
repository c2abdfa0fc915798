import { RotationError, systemCodeOf } from '../../core/errors.js'
import type { Context, LoginSeen } from '../../core/ports/rotator.js'
import { loginError } from './errors.js'
import { loginOnce, within } from './logins.js'
import type { PostgresValue } from './value.js'

/**
 * One login, and one question to the session. A pooler lets a client in before it has a session of the server; only the answer shows that there is
 * one. Throws where the server did not check the password, or could not be reached.
 */
export async function seeSession(context: Context<PostgresValue>, value: PostgresValue): Promise<LoginSeen> {
  const result = await loginOnce(context, value)
  if ('failed' in result) {
    if (result.proven) return { passwordAccepted: true, logsIn: false, why: result.failed }
    if (result.refused) return { passwordAccepted: false, logsIn: false }
    throw result.failed
  }
  try {
    await within(result.session, (session) => session.query('select 1'))
    return { passwordAccepted: true, logsIn: true }
  } catch (cause) {
    return { passwordAccepted: true, logsIn: false, why: silentError(cause, value) }
  }
}

function silentError(cause: unknown, { user, host, port, database }: PostgresValue): RotationError {
  const where = `${host}:${port}/${database}`
  const error = loginError(cause, user, where, { proven: true, forged: false })
  if (error.code !== 'internal') return error
  const code = systemCodeOf(cause)
  const why = `${where} let ${user} in, but its session does not answer${code === undefined ? '' : ` (${code})`}.`
  return new RotationError('target_unreachable', why, { cause, next: 'Look at the log of the server, or of the pooler before it.' })
}
