import pg from 'pg'
import { RotationError } from '../../core/errors.js'
import { showPlace } from '../sql/places.js'
import type { PostgresValue } from './value.js'

/** What PgBouncer says of a login with 08P01. PostgreSQL says none of it with this code. */
const poolersWords =
  /unsupported startup parameter|(SASL|password) authentication failed|no such (user|database)|server login|bouncer|client_login_timeout|query_wait_timeout/i

/** Whether a failed login was answered by PgBouncer, and not by a server. */
export const isPoolersAnswer = (cause: unknown): cause is pg.DatabaseError =>
  cause instanceof pg.DatabaseError && cause.code === '08P01' && poolersWords.test(cause.message)

/**
 * The error for a pooler where the server should be. It is not a refusal of the password, although the pooler may have refused it: a list that was not
 * reloaded refuses what the server has accepted, and takes what the server refuses. By its word a value could be thrown away that the server has.
 */
export function notServerError(value: PostgresValue, seen: string, cause?: unknown): RotationError {
  const { host, port, consumersAt } = value
  const place = showPlace({ host, port })
  const why = `A connection pooler answers at ${place}, and not the server: ${seen}. Nothing is set through it.`
  if (consumersAt !== undefined) {
    const next = 'Name the server itself in keyturn-server; the pooler of the value is tested beside it.'
    return new RotationError('bad_policy', why, { cause, field: 'keyturn-server', next })
  }
  const inValue = `Put a value whose host names the server, and set keyturn-endpoints=${place}`
  const inPolicy = 'If consumers read the pooler from this value, leave it and set keyturn-server to host:port of the server'
  return new RotationError('bad_value', why, { cause, field: 'host', next: `${inValue}. ${inPolicy}.` })
}

/**
 * Throws where a session's statements run in another process than the login named. A server names the process that serves the session; a pooler makes a
 * key of its own, since its clients change between sessions of the server. Where no process was named, nothing is known.
 */
export function assertServer(session: { readonly pid: number | null }, pid: number | undefined, value: PostgresValue): void {
  if (session.pid === null || pid === undefined || session.pid === pid) return
  throw notServerError(value, 'another process runs the statements than the one that the login named')
}
