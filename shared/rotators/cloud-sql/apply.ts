import { assertInTime, RotationError } from '../../core/errors.js'
import type { Context, Progress, Rotator } from '../../core/ports/rotator.js'
import type { DatabaseLogin } from '../sql/login.js'
import { AdminApi, type Operation } from './api.js'
import { refusedPasswordError } from './errors.js'
import { accountHostFor, isReady, lookAt } from './instance.js'
import { shownPlace } from './policy.js'
import type { CloudSqlValue } from './value.js'

const pollMs = 2000
const againMs = 60_000
/** The time that is kept for the answer and the bookkeeping. */
const restMs = 10_000

/**
 * Sends the password, and looks until the instance says that it is in effect. Returns `again` where this invocation ends before that: the same password
 * is then sent again, which changes nothing that the first time has not. `look` remembers no login.
 */
export async function apply(
  inner: Rotator<DatabaseLogin>,
  context: Context<CloudSqlValue>,
  look: () => Context<DatabaseLogin>,
  pending: CloudSqlValue,
): Promise<Progress> {
  const { env, deadline } = context
  const api = new AdminApi(env, pending.place)
  const seen = pending.engine === undefined ? await lookAt(api, pending) : undefined // only the instance can say that a login would speak to another engine
  if (pending.provenBy === 'login' && (await isThere(inner, look(), pending.login))) return { done: true }
  const instance = seen ?? (await lookAt(api, pending))
  const later = (why: 'held' | 'not_propagated'): Progress => ({ done: false, again: env.now() + againMs, why })
  if (!isReady(instance)) return later('held')
  const { user, password } = pending.login
  let running: Operation | undefined
  for (;;) {
    if (running === undefined) {
      assertInTime(context, `the password of ${user} was set`)
      running = await api.setPassword(user, accountHostFor(instance, pending), password)
      env.log(running === undefined ? 'instance_busy' : 'password_sent', { instance: pending.place.instance })
    } else running = await api.operation(running.name)
    if (running?.failed !== undefined) throw failedError(running.failed, pending)
    if (running?.isDone) return { done: true }
    if (env.cancelled.aborted || env.now() + pollMs + restMs >= deadline) return later('not_propagated')
    await env.sleep(pollMs)
  }
}

/**
 * Whether the new password logs in already. The stored one comes first, so that a value that names another server changes nothing at this instance.
 * target_denied where neither logs in.
 */
async function isThere(inner: Rotator<DatabaseLogin>, context: Context<DatabaseLogin>, pending: DatabaseLogin): Promise<boolean> {
  const { current } = context
  if (current && (await inner.accepted(context, current))) return false
  if (await inner.accepted(context, pending)) return true
  throw new RotationError(
    'target_denied',
    `The server accepts neither the stored nor the new password of ${pending.user}; nothing was sent.`,
    {
      field: 'password',
      next: 'Let keyturn recover try every stored version. If none logs in, set the stored one again (gcloud sql users set-password).',
    },
  )
}

/** What the service says in words is not passed on: it may quote what was sent. */
function failedError({ code, isRefusal }: NonNullable<Operation['failed']>, { login, place }: CloudSqlValue): RotationError {
  const shown = shownPlace(place)
  if (isRefusal) return refusedPasswordError(login.user, shown, code)
  return new RotationError('target_unreachable', `${shown} did not set the password of ${login.user} (${code}).`, {
    next: 'It is set again. Where that fails again, look at gcloud sql operations list.',
  })
}
