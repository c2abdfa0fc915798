import { once } from 'node:events'
import pg from 'pg'
import { messageOf, RotationError } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import { tlsOptions } from '../sql/tls.js'
import { loginError } from './errors.js'
import { isPoolersAnswer, notServerError } from './pooler.js'
import type { PostgresValue } from './value.js'

/** One login that the server proved to have checked. */
export interface Session {
  readonly user: string
  /** The process of the server, as the login named it. A pooler names one that does not exist. null: none was named. */
  readonly pid: number | null
  query<R extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<readonly R[]>
  end(): Promise<void>
}

/** How one login ended: with a session, which the caller ends, or with the reason why there is none. */
export type Login =
  | { readonly session: Session }
  /** proven: the password was right. refused: it was wrong, and must never be tried again. */
  | { readonly failed: RotationError; readonly proven: boolean; readonly refused: boolean }

/** A server answers a statement or ends it before `queryMs`: after that the outcome is unknown. A pooler without a session lets its clients wait. */
const waits = { server: { connectMs: 10_000, queryMs: 15_000 }, pooler: { connectMs: 5000, queryMs: 5000 } } as const
const endMsMax = 1000
/** P-256 comes first: servers up to 17 speak nothing else, and Node's default would cost another round trip. */
const ecdhCurve = 'P-256:X25519'
/**
 * A statement that the client has given up must be gone at the server, too: otherwise it would change the password later. A process that slept finds
 * its session closed.
 */
const options = [
  '-c lock_timeout=3s',
  '-c statement_timeout=10s',
  '-c client_connection_check_interval=1s',
  '-c idle_in_transaction_session_timeout=10s',
  '-c idle_session_timeout=10s',
  // Times are read, and written back, in one form.
  '-c DateStyle=ISO',
  '-c TimeZone=UTC',
].join(' ')

/**
 * Logs in exactly once with these fields. Nothing comes from PG* variables, ~/.pgpass or a connection string. `way`: who is meant to answer. A pooler is
 * asked for nothing but the login, since it refuses options; where a server is meant, its answer is not a refusal.
 */
export async function login(value: PostgresValue, env: Env, way: 'server' | 'pooler' = 'server'): Promise<Login> {
  const where = `${value.host}:${value.port}/${value.database}`
  if (value.tls.mode === 'off') env.log('plaintext', { host: value.host, why: 'the secret says so' })
  const client = clientOf(value, env, way)
  const proof = watchProof(client, where)
  client.on('error', () => {}) // an idle connection that breaks shows at the next query or at end()
  try {
    await client.connect()
  } catch (cause) {
    await close(client)
    // Only an error that the server itself sends after its proof was checked counts. With a forged proof the driver fails, not the server.
    const proven = proof.seen() && cause instanceof pg.DatabaseError
    const forged = proof.seen() && !proven
    const isElsewhere = way === 'server' && isPoolersAnswer(cause)
    const failed = isElsewhere
      ? notServerError(value, `it says ${cause.message}`, cause)
      : loginError(explained(cause, way), value.user, where, { proven, forged })
    const refused = failed.code === 'target_auth' && !proven
    return { failed, proven: proven && !isElsewhere, refused }
  }
  if (proof.seen()) return { session: sessionOf(client, value.user, way) }
  await close(client)
  const next = 'Change its line in pg_hba.conf from trust, peer or ident to scram-sha-256.'
  const why = `${where} let ${value.user} in without checking the password.`
  const failed = new RotationError('password_not_checked', why, { next })
  return { failed, proven: false, refused: false }
}

/** `replication` is missing in the types. Without it the driver would read PGREPLICATION. */
function clientOf({ host, port, user, password, database, tls }: PostgresValue, env: Env, way: 'server' | 'pooler'): pg.Client {
  const ssl = tlsOptions(tls, host, env)
  const config: pg.ClientConfig & { readonly replication: string } = {
    replication: 'false',
    host,
    port,
    user,
    password: password.reveal(),
    database,
    ssl: ssl && { ...ssl, ecdhCurve },
    sslnegotiation: 'postgres',
    options,
    // A pooler leaves the name on its session of the server, which is then not our own.
    application_name: way === 'pooler' ? 'keyturn-endpoint' : 'keyturn',
    client_encoding: 'UTF8',
    connectionTimeoutMillis: waits[way].connectMs,
    query_timeout: waits[way].queryMs,
    keepAlive: true,
  }
  const client = new pg.Client(config)
  // The driver would read PGOPTIONS and PGREPLICATION in place of an empty text, so both are removed from what it has read.
  if (way === 'pooler') Object.assign((client as Wired).connectionParameters, { options: '', replication: '' })
  return client
}

/** The driver's connection is not in its documented interface; the version is pinned and a test against a hostile server watches this. */
type Wired = pg.Client & { readonly connection: pg.Connection; readonly connectionParameters: object; readonly processID: number | null }

/** Watches the login. The driver would send a clear-text or MD5 answer to any server that asks for one, and would accept a server that asks for nothing. Neither happens here. */
function watchProof(client: pg.Client, where: string): { seen(): boolean } {
  const { connection } = client as Wired
  let seen = false
  const refuse = (how: string) => () => {
    const next =
      'Make it ask by SCRAM (pg_hba.conf: scram-sha-256; the role needs a SCRAM password). If it already does, something may intercept the connection.'
    connection.stream.destroy(
      new RotationError('password_not_checked', `${where} asked for the password ${how}; nothing was sent.`, { next }),
    )
  }
  connection.prependListener('authenticationCleartextPassword', refuse('in clear text'))
  connection.prependListener('authenticationMD5Password', refuse('as an MD5 hash'))
  let over = false
  for (const event of ['authenticationOk', 'errorMessage']) {
    connection.on(event, () => {
      over = true // a proof that is claimed after the server's verdict does not count
    })
  }
  connection.on('authenticationSASLFinal', () => {
    seen ||= !over // a wrong signature makes connect() reject
  })
  return { seen: () => seen }
}

const sessionOf = (client: pg.Client, user: string, way: keyof typeof waits): Session => ({
  user,
  pid: (client as Wired).processID,
  query: async <R extends pg.QueryResultRow>(text: string, values?: readonly unknown[]) => {
    try {
      const result = await client.query<R>(text, values === undefined ? undefined : [...values])
      return result.rows
    } catch (cause) {
      throw explained(cause, way)
    }
  },
  end: () => close(client),
})

/** The driver says `timeout expired` and `Query read timeout`. A person needs to know what was waited for, and for how long. */
function explained(cause: unknown, way: keyof typeof waits): unknown {
  const text = messageOf(cause)
  if (text === 'timeout expired') return new Error(`no connection within ${waits[way].connectMs / 1000} s (${text})`, { cause })
  if (text === 'Query read timeout') return new Error(`no answer within ${waits[way].queryMs / 1000} s (${text})`, { cause })
  return cause
}

/** Closes a connection. end() on a dead one would wait for ever. How a connection ends says nothing about what was done on it. */
async function close(client: pg.Client): Promise<void> {
  const ended = client.end().catch(() => undefined)
  await Promise.race([ended, once(AbortSignal.timeout(endMsMax), 'abort')])
  ;(client as Wired).connection.stream.destroy()
}
