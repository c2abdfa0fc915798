import { optional } from '../../core/optional.js'
import type { Context, Sessions } from '../../core/ports/rotator.js'
import type { DatabaseLogin } from '../sql/login.js'

/** A value that holds a login, and more that only the control plane needs. */
interface Holding {
  readonly login: DatabaseLogin
}

/** The context for the rotator that logs in: the login alone. */
export function within<V extends Holding>(context: Context<V>): Context<DatabaseLogin> {
  const { current, previous, ...rest } = context
  const previousLogin = previous && (async () => (await previous())?.login)
  return { ...rest, ...(current ? { current: current.login } : {}), ...optional('previous', previousLogin) }
}

/** A context that remembers no refusal: the password changes beside the logins, so that each look asks the server itself. */
export const afresh = <V extends Holding>(context: Context<V>): Context<DatabaseLogin> => ({ ...within(context), env: { ...context.env } })

/** What sessions show, by the rotator that logs in. */
export const sessionsWithin = <V extends Holding>(sessions: Sessions<DatabaseLogin>): Sessions<V> => ({
  usage: (context, id) => sessions.usage(within(context), id),
  end: (context, id) => sessions.end(within(context), id),
  endOnRetire: (policy) => sessions.endOnRetire(policy),
})
