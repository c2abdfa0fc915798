import type pg from 'pg'
import { statementError } from './errors.js'
import type { Session } from './session.js'

/** Runs one query. Its errors are those of statementError. */
export async function ask<R extends pg.QueryResultRow>(session: Session, text: string, values?: readonly unknown[]): Promise<readonly R[]> {
  try {
    return await session.query<R>(text, values)
  } catch (cause) {
    throw statementError(cause, `${session.user} could not ask the server`)
  }
}
