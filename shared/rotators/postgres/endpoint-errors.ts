import { messageOf, RotationError, systemCodeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Code } from '../../core/ports/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import { strategyOf } from '../sql/pair.js'
import { type Place, showPlace } from '../sql/places.js'
import { isPoolersAnswer } from './pooler.js'
import type { PostgresValue } from './value.js'

/** What every message about an endpoint names. */
interface Where {
  readonly user: string
  readonly place: string
  /** The answer of the pooler, or of the network. */
  readonly says: string
  /** What became of a value that is not current yet; empty for one that is. */
  readonly kept: string
  /** The command that tries again, without its first letter in upper case. */
  readonly again: string
}
function whereOf({ ref, current }: Context<PostgresValue>, value: PostgresValue, endpoint: Place, cause: unknown): Where {
  const code = systemCodeOf(cause)
  const isPending = current !== undefined && !(current.user === value.user && current.password.equals(value.password))
  return {
    user: value.user,
    place: showPlace(endpoint),
    says: code === undefined ? messageOf(cause) : `${messageOf(cause)} (${code})`,
    kept: isPending ? ' The value is kept, and is not published.' : '',
    again: isPending ? `run keyturn rotate ${ref.shown} --resume` : 'run the same command again',
  }
}

/** Next steps for a pooler, where those for a server would lead astray. */
const nextSteps: Partial<Readonly<Record<Code, string>>> = {
  password_not_checked: 'Set auth_type = scram-sha-256 at the pooler, and give it the verifiers of the server.',
  target_unreachable:
    'Check that the pooler runs and has a free connection, and that its address is right; then run the same command again.',
}

/** Explains a login that an endpoint did not let in. The server has accepted the same value a moment ago. */
export function refusedError(context: Context<PostgresValue>, value: PostgresValue, endpoint: Place, failed: RotationError): RotationError {
  const cause = failed.cause ?? failed
  const where = whereOf(context, value, endpoint, cause)
  if (isPoolersAnswer(cause)) {
    if (isRetrying(cause)) return retryingError(where, cause)
    if (/^(password authentication|server login) failed/i.test(cause.message)) return otherVerifierError(where, cause)
    if (/no such user/i.test(cause.message)) return unknownError(where, cause)
    if (/no such database/i.test(cause.message)) return noDatabaseError(where, value.database, cause)
  }
  if (failed.code === 'target_auth') return staleError(where, strategyOf(context.policy) === 'replace', cause)
  const next = nextSteps[failed.code]
  if (next === undefined) return failed
  return new RotationError(failed.code, failed.message, { cause, next, ...optional('field', failed.field) })
}

/** Explains a session that does not answer: a pooler lets a client in before it has a session of the server. */
export function silentError(context: Context<PostgresValue>, value: PostgresValue, endpoint: Place, cause: unknown): RotationError {
  const where = whereOf(context, value, endpoint, cause)
  if (isPoolersAnswer(cause) && isRetrying(cause)) return retryingError(where, cause)
  const { user, place, says, kept, again } = where
  const why = `The pooler ${place} let ${user} in, and its session does not answer: ${says}.${kept}`
  const next = `Its pool may have no free connection: ${again} then. ${sameVerifier(user)}.`
  return new RotationError('target_unreachable', why, { cause, next })
}

/**
 * A set-up that a person or a reload corrects. It is not target_auth: the server has accepted the value, so no answer of a pooler is a reason to throw it
 * away. Nor is it held: a rotation of many secrets must stop at the first one, before all of them wait in their test behind the same pooler.
 */
const deniedError = (why: string, { kept }: Where, next: string, cause: unknown): RotationError =>
  new RotationError('target_denied', `${why}.${kept}`, { cause, next })

/**
 * The pooler gives one answer for an older password and for a login that it does not have, so both are said. `oneSlot`: the server refuses the old
 * password already, so waiting is not harmless.
 */
function staleError(where: Where, oneSlot: boolean, cause: unknown): RotationError {
  const { user, place, says, kept, again } = where
  const list = `If its passwords are in a file (auth_file), that has an older one, or does not have ${user}`
  const remedy = `Put the verifier that the server has (pg_authid.rolpassword) there, byte for byte, reload the pooler, then ${again}`
  const soon = oneSlot && kept !== '' ? ' Until then the pooler opens no connection to the server with the old password either.' : ''
  return deniedError(
    `The server accepts the password of ${user}, and the pooler ${place} refuses it: ${says}`,
    where,
    `${list}. ${remedy}.${soon}`,
    cause,
  )
}

function unknownError(where: Where, cause: unknown): RotationError {
  const { user, place, says, again } = where
  const why = `The server accepts the password of ${user}, and the pooler ${place} does not know that login: ${says}`
  const list = 'add it to auth_file with the verifier that the server has (pg_authid.rolpassword), byte for byte'
  return deniedError(why, where, `Let its auth_query find ${user}, or ${list}; reload the pooler, then ${again}.`, cause)
}

const sameVerifier = (user: string): string =>
  `If its passwords are in a file (auth_file), the verifier of ${user} there must be the one that the server has (pg_authid.rolpassword), byte for byte: one that was made again has another salt, lets clients in, and cannot log in at the server`

/** The pooler takes what a client gives and has no way on from there. */
function otherVerifierError(where: Where, cause: unknown): RotationError {
  const { user, place, says, again } = where
  const why = `The server accepts the password of ${user}, and refuses what the pooler ${place} logs in with: ${says}`
  const byScram = 'Clients must log in to the pooler by SCRAM (auth_type = scram-sha-256)'
  return deniedError(why, where, `${sameVerifier(user)}. ${byScram}. Reload it, then ${again}.`, cause)
}

function noDatabaseError(where: Where, database: string, cause: unknown): RotationError {
  const why = `The pooler ${where.place} does not have the database ${database}: ${where.says}`
  return deniedError(why, where, `Add it to its section [databases], reload the pooler, then ${where.again}.`, cause)
}

const isRetrying = ({ message }: Error): boolean => /has been failing|cannot connect|_timeout/i.test(message)

function retryingError({ user, place, says, kept, again }: Where, cause: unknown): RotationError {
  const why = `The pooler ${place} could not log in to the server for ${user}: ${says}.${kept}`
  const wait = `It tries again after server_login_retry (15 s unless set); ${again} then`
  return new RotationError('target_unreachable', why, { cause, next: `${wait}. ${sameVerifier(user)}.` })
}
