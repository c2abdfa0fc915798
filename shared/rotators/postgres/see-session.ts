import { RotationError, systemCodeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Context, LoginEnd, LoginSeen } from '../../core/ports/rotator.js'
import type { CredentialId } from '../../core/ports/words.js'
import { otherOf, strategyOf } from '../sql/pair.js'
import { endColumn } from './cards.js'
import { tryEndpoints } from './endpoints.js'
import { loginError } from './errors.js'
import { explainedLogin } from './explain.js'
import { within } from './logins.js'
import { assertServer } from './pooler.js'
import { dialect, type PostgresValue } from './value.js'

interface Seen {
  readonly pid: number
  readonly login: string | null
  readonly expires: number | null
}
// The login of the pair whose turn it is next has an end of its own. A login of nobody gives no row.
const seenQuery = `
select pg_backend_pid() as pid, first.rolname::text as login, first.expires
from (values (1)) one left join lateral (select r.rolname, ${endColumn} from pg_roles r where r.rolname in ($1, $2) order by r.rolvaliduntil nulls last limit 1) first on true`

/**
 * One login, and one question to the session: a server may accept a password and give no session. Then one login through each endpoint, since
 * consumers that come through a pooler do not work with what it refuses. Throws where the server did not check the password, or could not be reached.
 */
export async function seeSession(context: Context<PostgresValue>, value: PostgresValue): Promise<LoginSeen> {
  const next = nextOf(context, value)
  const result = await explainedLogin(context, value)
  if ('failed' in result) {
    if (result.proven) return { passwordAccepted: true, logsIn: false, why: result.failed }
    if (result.refused) return { passwordAccepted: false, logsIn: false, why: result.failed }
    throw result.failed
  }
  const { session } = result
  let seen: Seen | undefined
  try {
    seen = (await within(session, () => session.query<Seen>(seenQuery, [value.user, next])))[0]
  } catch (cause) {
    return { passwordAccepted: true, logsIn: false, why: silentError(cause, value) }
  }
  assertServer(session, seen?.pid, value)
  const why = await whyNoPassage(context, value)
  return { passwordAccepted: true, logsIn: why === undefined, ...optional('why', why), ...optional('end', endOf(seen)) }
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

function endOf(seen: Seen | undefined): LoginEnd | undefined {
  if (seen === undefined || seen.login === null || seen.expires === null) return undefined
  return { login: seen.login as CredentialId, at: Math.max(0, Math.round(seen.expires)) }
}

/** The login whose password the next rotation sets. */
const nextOf = ({ policy }: Context<PostgresValue>, { user }: PostgresValue): string =>
  strategyOf(policy) === 'alternate' ? otherOf(user, policy, dialect.names) : user

function silentError(cause: unknown, { user, host, port, database }: PostgresValue): RotationError {
  const where = `${host}:${port}/${database}`
  const error = loginError(cause, user, where, { proven: true, forged: false })
  if (error.code !== 'internal') return error
  const code = systemCodeOf(cause)
  const why = `${where} let ${user} in, but its session does not answer${code === undefined ? '' : ` (${code})`}.`
  return new RotationError('target_unreachable', why, { cause, next: 'Look at the log of the server, or of the pooler before it.' })
}
