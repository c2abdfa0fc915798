import { RotationError } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import type { Context } from '../../core/ports/rotator.js'
import type { SecretText } from '../../core/secret-text.js'
import { type Login, login, type Session } from './session.js'
import type { PostgresValue } from './value.js'

/** What was refused in this invocation: a refused login is never repeated with the same credential, also not by a retry. */
const refusals = new WeakMap<Env, { readonly credential: string; readonly password: SecretText; readonly result: Login }[]>()

const credentialOf = ({ host, port, user }: PostgresValue): string => `${user}@${host}:${port}`

/** One environment is one invocation: also when it reads the state anew and begins again. */
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

/** It was just set: what was refused before may be accepted now. */
export const forgetRefusal = ({ env }: Context<PostgresValue>, { password }: PostgresValue): void =>
  void refusals.set(
    env,
    (refusals.get(env) ?? []).filter((one) => !one.password.equals(password)),
  )

/** The session, or the failure as an error. */
export async function mustLogin(context: Context<PostgresValue>, value: PostgresValue): Promise<Session> {
  const result = await loginOnce(context, value)
  if ('session' in result) return result.session
  throw result.failed
}

/** What was set at the primary is accepted by its read replicas a moment later: there each look asks the server itself. */
export async function copyLogin(context: Context<PostgresValue>, value: PostgresValue): Promise<Session> {
  if (!context.admin?.hosts?.includes(value.host.toLowerCase())) return mustLogin(context, value)
  const result = await login(value, context.env)
  if ('session' in result) return result.session
  throw result.failed
}

/** An administrator who is refused says nothing about the rotated credential: never `target_auth`, which would end in stuck. */
export async function adminLogin(context: Context<PostgresValue>, admin: PostgresValue): Promise<Session> {
  const result = await loginOnce(context, admin)
  if ('session' in result) return result.session
  if (!result.refused) throw result.failed
  throw new RotationError('target_denied', `The administrator ${admin.user} (${context.admin?.ref.shown}) was refused by ${admin.host}.`, {
    cause: result.failed,
    field: 'keyturn-admin',
    next: `Put the right password into ${context.admin?.ref.shown}; it was tried once.`,
  })
}

/** Ends the session when `act` has ended, also when it threw. */
export async function within<T>(session: Session, act: (session: Session) => Promise<T>): Promise<T> {
  try {
    return await act(session)
  } finally {
    await session.end()
  }
}
