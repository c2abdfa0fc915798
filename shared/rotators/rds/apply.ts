import { assertInTime, RotationError } from '../../core/errors.js'
import type { Context, Progress, Rotator } from '../../core/ports/rotator.js'
import type { DatabaseLogin } from '../sql/login.js'
import { setMasterPassword } from './api.js'
import { assertOurs, type Database, lookAt } from './database.js'
import type { Place } from './place.js'

/** What the rotator reads from a value: a login, and the instance or cluster that it is for. */
export interface RdsValue {
  /** What the engine's own rotator reads from the value. */
  readonly login: DatabaseLogin
  readonly place: Place
}

const pollMs = 5000
const againMs = 60_000
/** The time that is kept for the answer and the bookkeeping. */
const restMs = 10_000

/** States in which a database takes a new master password. */
const ready = ['available', 'backing-up', 'storage-optimization']

/** Sends the password once, and looks until the new password logs in. Returns `again` where this invocation ends before that. */
export async function apply(
  inner: Rotator<DatabaseLogin>,
  context: Context<RdsValue>,
  look: () => Context<DatabaseLogin>,
  { login, place }: RdsValue,
): Promise<Progress> {
  const { env, deadline } = context
  const later = (why: 'held' | 'not_propagated'): Progress => ({ done: false, again: env.now() + againMs, why })
  const always = context.policy['keyturn-reset'] === 'always'
  let sent = false
  let doubts = 0
  for (;;) {
    const database = await lookAt(place)
    assertOurs(database, login)
    const isBusy = database.changing || !ready.includes(database.status)
    const stands = isBusy ? 'changing' : await which(inner, look(), login, sent)
    if (stands === 'new') return { done: true }
    if (stands === 'changing' && !sent && !database.changing) return later('held')
    // Neither works: the change of an earlier attempt may be on its way, and the control plane does not show it yet.
    if (stands === 'neither' && ++doubts > doubtsMax) throw lostError(login.user)
    const isLost = stands === 'neither' && doubts === doubtsMax
    if (stands === 'old' || (isLost && always)) {
      await send(context, database, login)
      sent = true
    }
    if (env.cancelled.aborted || env.now() + pollMs + restMs >= deadline) return later('not_propagated')
    await env.sleep(pollMs)
  }
}
const doubtsMax = 3

async function send(context: Context<RdsValue>, database: Database, { user, password }: DatabaseLogin): Promise<void> {
  assertNothingElse(database)
  assertInTime(context, `the password of ${user} was set`)
  await setMasterPassword(database.place, password)
  context.env.log('master_password_sent', { database: database.place.id })
}

/** Which password logs in. Once the new one was sent, only that is tried. */
async function which(
  inner: Rotator<DatabaseLogin>,
  context: Context<DatabaseLogin>,
  pending: DatabaseLogin,
  sent: boolean,
): Promise<'old' | 'new' | 'neither' | 'changing'> {
  const { current } = context
  if (!sent && current && (await inner.accepted(context, current))) return 'old'
  if (await inner.accepted(context, pending)) return 'new'
  return sent ? 'changing' : 'neither'
}

/** With ApplyImmediately everything that waits would begin, such as an upgrade. */
function assertNothingElse({ place, queued }: Database): void {
  if (place.kind !== 'cluster' || !queued) return
  const why = `Other changes of the RDS cluster ${place.id} wait for its maintenance window`
  throw new RotationError('held', `${why}, and would begin with this one.`, {
    next: 'aws rds describe-pending-maintenance-actions shows them. Wait for the window, or apply them yourself; nothing was sent.',
  })
}

/** The error is not durable: nothing was sent, and the next attempt sees what a person does about it. */
function lostError(user: string): RotationError {
  const why = `RDS has another master password for ${user} than the stored and the new one`
  const byHand = 'set the stored password again (aws rds modify-db-instance)'
  return new RotationError('target_denied', `${why}; nothing was sent.`, {
    field: 'password',
    next: `Let keyturn recover try every stored version. If none logs in, ${byHand}, or set keyturn-reset=always to have a new one set in any case.`,
  })
}
