import { assertInTime, codeOf } from '../../core/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import { isAutoPair, otherOf } from '../sql/pair.js'
import { adminOf } from './check.js'
import { statementError } from './errors.js'
import { adminLoginIn, within } from './logins.js'
import { assertWritable, lookAtRoles } from './look.js'
import { assertServer } from './pooler.js'
import { assertPair, secondLogin } from './second-login.js'
import { assertUsable } from './usable.js'
import { dialect, type PostgresValue } from './value.js'

/**
 * Makes the second login of a pair ahead, where the policy says pair=auto and it is missing. It has no password and no LOGIN: its first rotation gives
 * both. One message, so one transaction.
 */
export async function prepare(context: Context<PostgresValue>): Promise<string | undefined> {
  const { current, policy } = context
  const admin = adminOf(context)
  if (!isAutoPair(policy) || current === undefined || admin === undefined) return undefined
  const second = { ...current, user: otherOf(current.user, policy, dialect.names) }
  try {
    return await make(context, admin, second)
  } catch (cause) {
    // Its answer was lost, or another process made it at the same time: the server knows.
    if (!['ambiguous', 'conflict'].includes(codeOf(cause) ?? '')) throw cause
    return await make(context, admin, second)
  }
}

async function make(context: Context<PostgresValue>, admin: PostgresValue, second: PostgresValue): Promise<string | undefined> {
  return within(await adminLoginIn(context, admin, second), async (session) => {
    const look = await lookAtRoles(session, context, second)
    assertServer(session, look.pid, second)
    assertWritable(look, second)
    await assertPair(look, context, second)
    assertUsable(look, context, second)
    if (look.incoming !== null) return undefined
    const statements = await secondLogin(session, look, second.user, false)
    assertInTime(context, `the login ${second.user} was made`)
    try {
      await session.query(['BEGIN READ WRITE', ...statements, 'COMMIT'].join('; '))
    } catch (cause) {
      throw statementError(cause, `${session.user} could not make the login ${second.user}`)
    }
    return `Made the login ${second.user}, which cannot log in before its first rotation`
  })
}
