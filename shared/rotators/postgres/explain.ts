import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Context } from '../../core/ports/rotator.js'
import { ask } from './ask.js'
import { type Card, cardOf } from './cards.js'
import { adminOf } from './check.js'
import { adminLogin, loginOnce, within } from './logins.js'
import { type Login, login, type Session } from './session.js'
import type { PostgresValue } from './value.js'

interface Seen {
  readonly role: Card | null
  /** null: there is no such database. */
  readonly connects: boolean | null
}

const query = `
select ${cardOf('$1')} as role,
 (select exists (select from pg_roles where rolname = $1) and has_database_privilege($1::name, d.oid, 'CONNECT') from pg_database d where d.datname = $2) as connects`

/**
 * Logs in as loginOnce does. The server has one text for every refused login; where there is an administrator, it is asked what it sees of the role, and
 * the error names that. The password of an expired role was not judged: then nothing was refused, and the code is target_denied.
 */
export async function explainedLogin(context: Context<PostgresValue>, value: PostgresValue): Promise<Login> {
  const result = await loginOnce(context, value)
  if (!('failed' in result) || !result.refused) return result
  const seen = await seenBy(context, value)
  const facts = seen === undefined ? [] : factsOf(seen, value)
  if (facts.length === 0) return result
  const isExpired = seen?.role?.expired === true
  const { code, message, next, field } = result.failed
  const why = `${message.replace(/\.$/, '')}; the administrator sees that ${facts.join(', ')}.`
  const failed = isExpired
    ? new RotationError('target_denied', why, {
        cause: result.failed,
        next: "Move its end: ALTER ROLE … VALID UNTIL 'infinity'; then run the same command again.",
      })
    : new RotationError(code, why, { cause: result.failed, next, ...optional('field', field) })
  return { failed, proven: false, refused: !isExpired }
}

/** Logs in to the server or to a copy. Read replicas accept what was set at the primary a moment later, so there each look asks the server itself. */
export async function copyLogin(context: Context<PostgresValue>, value: PostgresValue): Promise<Session> {
  const isCopy = context.admin?.hosts?.includes(value.host.toLowerCase()) === true
  const result = isCopy ? await login(value, context.env) : await explainedLogin(context, value)
  if ('session' in result) return result.session
  throw result.failed
}

/** undefined where nobody can look: there is no administrator, it is for another server, or it cannot log in either. */
async function seenBy(context: Context<PostgresValue>, { host, port, user, database }: PostgresValue): Promise<Seen | undefined> {
  const admin = adminOf(context)
  const isThere = admin?.host.toLowerCase() === host.toLowerCase() || context.admin?.hosts?.includes(host.toLowerCase()) === true
  if (admin === undefined || admin.user === user || admin.port !== port || !isThere) return undefined
  try {
    return await within(await adminLogin(context, admin), async (session) => {
      const [seen] = await ask<Seen & Record<string, unknown>>(session, query, [user, database])
      return seen
    })
  } catch (cause) {
    if (cause instanceof RotationError) return undefined // the refusal itself is what counts
    throw cause
  }
}

function factsOf({ role, connects }: Seen, { user, database }: PostgresValue): readonly string[] {
  if (role === null) return [`the role ${user} does not exist`]
  return [
    ...(role.expired ? [`${user} expired (VALID UNTIL ${role.rolvaliduntil})`] : []),
    ...(role.rolcanlogin ? [] : [`${user} may not log in (NOLOGIN)`]),
    ...(role.rolconnlimit === 0 ? [`${user} may have no connection (CONNECTION LIMIT 0)`] : []),
    ...(connects === false ? [`${user} has no CONNECT on ${database}`] : []),
    ...(connects === null ? [`the database ${database} does not exist`] : []),
  ]
}
