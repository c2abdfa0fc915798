import { RotationError } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import type { Context } from '../../core/ports/rotator.js'
import type { SecretText } from '../../core/secret-text.js'
import { type Login, login, type Session } from './session.js'
import type { PostgresValue } from './value.js'

interface Refusal {
  readonly credential: string
  readonly password: SecretText
  readonly result: Login
}
/** The logins that were refused in this invocation. A refused login is never repeated with the same credential, not even by a retry. */
const refusals = new WeakMap<Env, Refusal[]>()

const credentialOf = ({ host, port, user }: PostgresValue): string => `${user}@${host}:${port}`

/** Logs in, unless this login was refused before in this invocation. One environment is one invocation, even when that reads the state again and starts over. */
export async function loginOnce({ env }: Context<PostgresValue>, value: PostgresValue): Promise<Login> {
  const known = refusals.get(env) ?? []
  refusals.set(env, known)
  const credential = credentialOf(value)
  const before = known.find((one) => one.credential === credential && one.password.equals(value.password))
  if (before) return before.result
  const result = await login(value, env)
  if ('failed' in result && result.refused) known.push({ credential, password: value.password, result })
  return result
}

/** Forgets the refusals of a password that was just set: it may be accepted now. */
export function forgetRefusal({ env }: Context<PostgresValue>, { password }: PostgresValue): void {
  const others = (refusals.get(env) ?? []).filter((one) => !one.password.equals(password))
  refusals.set(env, others)
}

/** Logs in and returns the session; throws the failure. */
export async function mustLogin(context: Context<PostgresValue>, value: PostgresValue): Promise<Session> {
  const result = await loginOnce(context, value)
  if ('session' in result) return result.session
  throw result.failed
}

/** Logs in as the administrator. Its refusal says nothing about the rotated credential, so it is never `target_auth`, which would end in stuck. */
export async function adminLogin(context: Context<PostgresValue>, admin: PostgresValue): Promise<Session> {
  const result = await loginOnce(context, admin)
  if ('session' in result) return result.session
  if (!result.refused) throw result.failed
  const shown = context.admin?.ref.shown
  throw new RotationError('target_denied', `${admin.host} refused the administrator ${admin.user} (${shown}).`, {
    cause: result.failed,
    field: 'keyturn-admin',
    next: `Check the password in ${shown}, and that this role may log in and has not expired (LOGIN, VALID UNTIL): the server has one text for all of them. It was tried once.`,
  })
}

/**
 * Logs in as the administrator to the database of the secret, where settings and default privileges of its logins are seen and made; to the
 * administrator's own where it may not connect there.
 */
export async function adminLoginIn(context: Context<PostgresValue>, admin: PostgresValue, { database }: PostgresValue): Promise<Session> {
  const result = await loginOnce(context, { ...admin, database })
  return 'session' in result ? result.session : adminLogin(context, admin)
}

/** Ends the session when `act` has ended, even when it threw. */
export async function within<T>(session: Session, act: (session: Session) => Promise<T>): Promise<T> {
  try {
    return await act(session)
  } finally {
    await session.end()
  }
}
