import { messageOf, RotationError, systemCodeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Code } from '../../core/ports/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import { strategyOf } from '../sql/pair.js'
import { type Place, showPlace } from '../sql/places.js'
import { isPoolersAnswer } from './pooler.js'
import type { PostgresValue } from './value.js'

/** What every message about an endpoint names. `says`: the answer of the pooler, or of the network. */
interface Where {
  readonly ref: string
  readonly user: string
  readonly place: string
  readonly says: string
}
const whereOf = ({ ref }: Context<PostgresValue>, { user }: PostgresValue, endpoint: Place, cause: unknown): Where => {
  const code = systemCodeOf(cause)
  return { ref: ref.shown, user, place: showPlace(endpoint), says: code === undefined ? messageOf(cause) : `${messageOf(cause)} (${code})` }
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
  const { user, place, says, ref } = where
  const next = `${sameVerifier(user)}. Otherwise its pool may have no free connection. Then run keyturn rotate ${ref} --resume.`
  return heldError(`The pooler ${place} let ${user} in, and its session does not answer: ${says}`, next, cause)
}

const sameVerifier = (user: string): string =>
  `If its passwords are in a file (auth_file), the verifier of ${user} there must be the one that the server has (pg_authid.rolpassword), byte for byte: one that was made again has another salt, lets clients in, and cannot log in at the server`

/** The pooler takes what a client gives and has no way on from there. */
function otherVerifierError({ ref, user, place, says }: Where, cause: unknown): RotationError {
  const next = `${sameVerifier(user)}. Clients must log in to the pooler by SCRAM (auth_type = scram-sha-256). Reload it, then run keyturn rotate ${ref} --resume.`
  return heldError(`The server accepts the password of ${user}, and refuses what the pooler ${place} logs in with: ${says}`, next, cause)
}

/** A person or a reload resolves it. The target has the value, so it is kept; consumers would be refused with it, so it is not published. */
const heldError = (why: string, next: string, cause: unknown): RotationError =>
  new RotationError('held', `${why}. Nothing is published through a refusal, and the value is kept.`, { cause, next })

/**
 * The pooler gives one answer for an older password and for a login that it does not have, so both are said. `oneSlot`: the server refuses the old
 * password already, so waiting is not harmless.
 */
function staleError({ ref, user, place, says }: Where, oneSlot: boolean, cause: unknown): RotationError {
  const why = `The server accepts the password of ${user}, and the pooler ${place} refuses it: ${says}`
  const list = `If its passwords are in a file (auth_file), that has an older one, or does not have ${user}`
  const remedy = `Put the verifier that the server has (pg_authid.rolpassword) there, byte for byte, reload the pooler, then run keyturn rotate ${ref} --resume`
  const soon = oneSlot ? ' Until then the pooler opens no connection to the server with the old password either.' : ''
  return heldError(why, `${list}. ${remedy}.${soon}`, cause)
}

function unknownError({ ref, user, place, says }: Where, cause: unknown): RotationError {
  const why = `The server accepts the password of ${user}, and the pooler ${place} does not know that login: ${says}`
  const list = `add it to auth_file with the verifier that the server has (pg_authid.rolpassword), byte for byte`
  return heldError(why, `Let its auth_query find ${user}, or ${list}; reload the pooler, then run keyturn rotate ${ref} --resume.`, cause)
}

const noDatabaseError = ({ ref, place, says }: Where, database: string, cause: unknown): RotationError =>
  new RotationError('target_denied', `The pooler ${place} does not have the database ${database}: ${says}.`, {
    cause,
    next: `Add it to its section [databases], reload the pooler, then run keyturn rotate ${ref} --resume.`,
  })

const isRetrying = ({ message }: Error): boolean => /has been failing|cannot connect|_timeout/i.test(message)

const retryingError = ({ ref, user, place, says }: Where, cause: unknown): RotationError =>
  new RotationError('target_unreachable', `The pooler ${place} could not log in to the server for ${user}: ${says}.`, {
    cause,
    next: `It tries again after server_login_retry (15 s unless set); run keyturn rotate ${ref} --resume then. If it stays so, its verifier of ${user} is not the one that the server has.`,
  })
