import { RotationError, systemCodeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Context, LoginSeen } from '../../core/ports/rotator.js'
import { endColumn } from './cards.js'
import { loginError } from './errors.js'
import { explainedLogin } from './explain.js'
import { within } from './logins.js'
import type { PostgresValue } from './value.js'

const endQuery = `select ${endColumn} from pg_roles r where rolname = session_user`

/**
 * One login, and one question to the session. A pooler lets a client in before it has a session of the server; only the answer shows that there is
 * one. Throws where the server did not check the password, or could not be reached.
 */
export async function seeSession(context: Context<PostgresValue>, value: PostgresValue): Promise<LoginSeen> {
  const result = await explainedLogin(context, value)
  if ('failed' in result) {
    if (result.proven) return { passwordAccepted: true, logsIn: false, why: result.failed }
    if (result.refused) return { passwordAccepted: false, logsIn: false, why: result.failed }
    throw result.failed
  }
  try {
    const [role] = await within(result.session, (session) => session.query<{ expires: number | null }>(endQuery))
    return { passwordAccepted: true, logsIn: true, ...optional('expiresAt', endOf(role)) }
  } catch (cause) {
    return { passwordAccepted: true, logsIn: false, why: silentError(cause, value) }
  }
}

const endOf = (role: { readonly expires: number | null } | undefined): number | undefined =>
  role === undefined || role.expires === null ? undefined : Math.max(0, Math.round(role.expires))

function silentError(cause: unknown, { user, host, port, database }: PostgresValue): RotationError {
  const where = `${host}:${port}/${database}`
  const error = loginError(cause, user, where, { proven: true, forged: false })
  if (error.code !== 'internal') return error
  const code = systemCodeOf(cause)
  const why = `${where} let ${user} in, but its session does not answer${code === undefined ? '' : ` (${code})`}.`
  return new RotationError('target_unreachable', why, { cause, next: 'Look at the log of the server, or of the pooler before it.' })
}
