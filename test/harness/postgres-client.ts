import pg from 'pg'
import { type PostgresServer, superPassword } from './postgres-server.js'

/** Runs statements as the superuser; for arranging and looking, never for what is under test. */
export async function asSuper<R extends pg.QueryResultRow = pg.QueryResultRow>(
  server: PostgresServer,
  text: string,
  values: readonly unknown[] = [],
  database = 'postgres',
): Promise<R[]> {
  return asUser<R>(server, 'postgres', superPassword, text, values, database)
}

export async function asUser<R extends pg.QueryResultRow = pg.QueryResultRow>(
  server: PostgresServer,
  user: string,
  password: string,
  text: string,
  values: readonly unknown[] = [],
  database = 'postgres',
): Promise<R[]> {
  const client = new pg.Client({ host: '127.0.0.1', port: server.port, user, password, database, ssl: false })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const result = await client.query<R>(text, values.length === 0 ? undefined : [...values])
    return Array.isArray(result) ? [] : result.rows
  } finally {
    await client.end()
  }
}

/** Does this password log in? */
export async function logsIn(server: PostgresServer, user: string, password: string, database = 'postgres'): Promise<boolean> {
  try {
    await asUser(server, user, password, 'select 1', [], database)
    return true
  } catch (cause) {
    if (cause instanceof pg.DatabaseError && (cause.code === '28P01' || cause.code === '28000')) return false
    throw cause
  }
}

export interface LoginCounts {
  readonly accepted: number
  readonly refused: number
}

/** From the server's own log (log_connections = on): logins that it took and that it refused. */
export function loginsIn(log: string): LoginCounts {
  return {
    accepted: log.match(/connection authorized: user=/g)?.length ?? 0,
    refused: log.match(/FATAL: {2}password authentication failed/g)?.length ?? 0,
  }
}
