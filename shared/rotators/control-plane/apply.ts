import { assertInTime, RotationError } from '../../core/errors.js'
import type { Context, Progress, Rotator } from '../../core/ports/rotator.js'
import type { DatabaseLogin } from '../sql/login.js'
import type { Failure } from './errors.js'
import type { PlacedLogin } from './value.js'
import { afresh } from './within.js'

/** A change that a server is at. */
export interface Operation {
  readonly isDone: boolean
  /** How it ended, where it failed. */
  readonly failed?: Failure
  /** How long the service wants to be left alone. */
  readonly waitMs?: number
}

/** One password at one server, by the interface of its platform. */
export interface Change<O extends Operation = Operation> {
  /** Looks at the server and at the login, and changes nothing. Throws where the password of this login is not ours to set there. false: it takes no change now. */
  look(): Promise<boolean>
  /** Sends the password. undefined while the server is at another operation: then nothing was sent that counts. */
  send(): Promise<O | undefined>
  see(operation: O): Promise<O>
  failedError(failure: Failure): RotationError
  /** What a line of the log names. */
  readonly logged: Readonly<Record<string, string>>
  /** The command by which a person sets a password. */
  readonly byHand: string
}

const pollMs = 2000
const againMs = 60_000
/** The time that is kept for the answer and the bookkeeping. */
const restMs = 10_000

/**
 * Sends the password, and looks until the service says that it is in effect. Returns `again` where this invocation ends before that: the same password
 * is then sent again, which changes nothing that the first time has not.
 */
export async function applyChange<V extends PlacedLogin, O extends Operation>(
  inner: Rotator<DatabaseLogin>,
  context: Context<V>,
  pending: V,
  change: Change<O>,
): Promise<Progress> {
  const { env, deadline } = context
  const seen = pending.engine === undefined ? await change.look() : undefined // only the service can say that a login would speak to another engine
  if (pending.provenBy === 'login' && (await isThere(inner, afresh(context), pending.login, change.byHand))) return { done: true }
  const isReady = seen ?? (await change.look())
  const later = (why: 'held' | 'not_propagated'): Progress => ({ done: false, again: env.now() + againMs, why })
  if (!isReady) return later('held')
  let running: O | undefined
  for (;;) {
    if (running === undefined) {
      assertInTime(context, `the password of ${pending.login.user} was set`)
      running = await change.send()
      env.log(running === undefined ? 'instance_busy' : 'password_sent', change.logged)
    } else running = await change.see(running)
    if (running?.failed !== undefined) throw change.failedError(running.failed)
    if (running?.isDone) return { done: true }
    const waitMs = running?.waitMs ?? pollMs
    if (env.cancelled.aborted || env.now() + waitMs + restMs >= deadline) return later('not_propagated')
    await env.sleep(waitMs)
  }
}

/**
 * Whether the new password logs in already. The stored one comes first, so that a value that names another server changes nothing at this one.
 * target_denied where neither logs in.
 */
async function isThere(
  inner: Rotator<DatabaseLogin>,
  context: Context<DatabaseLogin>,
  pending: DatabaseLogin,
  byHand: string,
): Promise<boolean> {
  const { current } = context
  if (current && (await inner.accepted(context, current))) return false
  if (await inner.accepted(context, pending)) return true
  throw new RotationError(
    'target_denied',
    `The server accepts neither the stored nor the new password of ${pending.user}; nothing was sent.`,
    {
      field: 'password',
      next: `Let keyturn recover try every stored version. If none logs in, set the stored one again (${byHand}).`,
    },
  )
}
