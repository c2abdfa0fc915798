import { RotationError, systemCodeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Context, LoginSeen } from '../../core/ports/rotator.js'
import { endColumn } from './cards.js'
import { tryEndpoints } from './endpoints.js'
import { loginError } from './errors.js'
import { explainedLogin } from './explain.js'
import { within } from './logins.js'
import { assertServer } from './pooler.js'
import type { PostgresValue } from './value.js'

interface Seen {
  readonly pid: number
  readonly expires: number | null
}
const seenQuery = `select pg_backend_pid() as pid, ${endColumn} from pg_roles r where rolname = session_user`

/**
 * One login, and one question to the session: a server may accept a password and give no session. Then one login through each endpoint, since
 * consumers that come through a pooler do not work with what it refuses. Throws where the server did not check the password, or could not be reached.
 */
export async function seeSession(context: Context<PostgresValue>, value: PostgresValue): Promise<LoginSeen> {
  const result = await explainedLogin(context, value)
  if ('failed' in result) {
    if (result.proven) return { passwordAccepted: true, logsIn: false, why: result.failed }
    if (result.refused) return { passwordAccepted: false, logsIn: false, why: result.failed }
    throw result.failed
  }
  const { session } = result
  let seen: Seen | undefined
  try {
    seen = (await within(session, () => session.query<Seen>(seenQuery)))[0]
  } catch (cause) {
    return { passwordAccepted: true, logsIn: false, why: silentError(cause, value) }
  }
  assertServer(session, seen?.pid, value)
  const why = await whyNoPassage(context, value)
  return { passwordAccepted: true, logsIn: why === undefined, ...optional('why', why), ...optional('expiresAt', endOf(seen)) }
}

/** Why consumers that come through an endpoint cannot work with the value; undefined where they can. */
async function whyNoPassage(context: Context<PostgresValue>, value: PostgresValue): Promise<RotationError | undefined> {
  try {
    const fatal = (await tryEndpoints(context, value)).filter((difference) => difference.fatal)
    if (fatal.length === 0) return undefined
    const list = fatal.map(({ what, outgoing, incoming }) => `${what}: ${incoming}, not ${outgoing}`)
    return new RotationError('verify_failed', `${value.user} logs in as somebody else. ${list.join('; ')}.`, {
      next: 'Correct the pooler, or set differences=report if that is intended.',
    })
  } catch (cause) {
    if (cause instanceof RotationError) return cause
    throw cause
  }
}

const endOf = (seen: Seen | undefined): number | undefined =>
  seen === undefined || seen.expires === null ? undefined : Math.max(0, Math.round(seen.expires))

function silentError(cause: unknown, { user, host, port, database }: PostgresValue): RotationError {
  const where = `${host}:${port}/${database}`
  const error = loginError(cause, user, where, { proven: true, forged: false })
  if (error.code !== 'internal') return error
  const code = systemCodeOf(cause)
  const why = `${where} let ${user} in, but its session does not answer${code === undefined ? '' : ` (${code})`}.`
  return new RotationError('target_unreachable', why, { cause, next: 'Look at the log of the server, or of the pooler before it.' })
}
