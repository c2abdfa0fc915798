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
/** What is left for the answer and the bookkeeping. */
const restMs = 10_000

/** States in which a database takes a new master password. */
const ready = ['available', 'backing-up', 'storage-optimization']

/** Sent once, then looked after until the new password logs in, or `again` where this invocation ends before. */
export async function apply(
  inner: Rotator<DatabaseLogin>,
  context: Context<RdsValue>,
  look: () => Context<DatabaseLogin>,
  { login, place }: RdsValue,
): Promise<Progress> {
  const { env, deadline } = context
  for (let [sent, doubts] = [false, 0]; ; await env.sleep(pollMs)) {
    const database = await lookAt(place)
    assertOurs(database, login)
    const stands =
      database.changing || !ready.includes(database.status)
        ? 'changing'
        : sent
          ? await newWorks(inner, look(), login)
          : await which(inner, look(), login)
    if (stands === 'new') return { done: true }
    if (stands === 'changing' && !sent && !database.changing) return { done: false, again: env.now() + againMs, why: 'held' }
    // Neither: a change of an attempt before may be on its way, of which the control plane says nothing yet.
    if (stands === 'neither' && ++doubts > doubtsMax) throw lostError(login.user)
    if (stands === 'old' || (stands === 'neither' && context.policy['keyturn-reset'] === 'always' && doubts === doubtsMax)) {
      assertNothingElse(database)
      assertInTime(context, `the password of ${login.user} was set`)
      await setMasterPassword(database.place, login.password)
      env.log('master_password_sent', { database: database.place.id })
      sent = true
    }
    if (env.cancelled.aborted || env.now() + pollMs + restMs >= deadline)
      return { done: false, again: env.now() + againMs, why: 'not_propagated' }
  }
}
const doubtsMax = 3

const newWorks = async (
  inner: Rotator<DatabaseLogin>,
  context: Context<DatabaseLogin>,
  pending: DatabaseLogin,
): Promise<'new' | 'changing'> => ((await inner.accepted(context, pending)) ? 'new' : 'changing')

async function which(
  inner: Rotator<DatabaseLogin>,
  context: Context<DatabaseLogin>,
  pending: DatabaseLogin,
): Promise<'old' | 'new' | 'neither'> {
  if (context.current && (await inner.accepted(context, context.current))) return 'old'
  return (await inner.accepted(context, pending)) ? 'new' : 'neither'
}

/** With ApplyImmediately everything that waits would begin, an upgrade for example. */
function assertNothingElse({ place, queued }: Database): void {
  if (place.kind !== 'cluster' || !queued) return
  throw new RotationError(
    'held',
    `Other changes of the RDS cluster ${place.id} wait for its maintenance window, and would begin with this one.`,
    {
      next: 'Wait for the window, or apply them yourself; nothing was sent.',
    },
  )
}

/** Not durable: nothing was sent, and whatever a person does about it is seen at the next attempt. */
const lostError = (user: string): RotationError =>
  new RotationError('target_denied', `RDS has another master password for ${user} than the stored and the new one; nothing was sent.`, {
    field: 'password',
    next: 'Let keyturn recover try every stored version. If none logs in, set the stored password again (aws rds modify-db-instance), or set keyturn-reset=always to have a new one set in any case.',
  })
