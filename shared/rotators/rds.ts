import { assertInTime, RotationError } from '../core/errors.js'
import type { Context, PolicyKey, Progress, Rotator } from '../core/ports/rotator.js'
import type { CredentialId } from '../core/ports/words.js'
import type { SecretText } from '../core/secret-text.js'
import { setMasterPassword } from './rds/api.js'
import { assertOurs, lookAt } from './rds/database.js'
import { classify } from './rds/errors.js'
import { type Place, placeOf } from './rds/place.js'

/** What the engine's own rotator reads from the value. */
interface Login {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: SecretText
}
export interface RdsValue<V extends Login> {
  readonly login: V
  readonly place: Place
}

/** Aurora and Multi-AZ clusters take 8 to 41 characters, instances of PostgreSQL up to 128: one rule for both. */
const passwordLengthMax = 41
const lengthKey: PolicyKey = {
  name: 'length',
  default: '32',
  help: 'characters of a new password, 22 to 41',
  check: (value) =>
    /^\d{2}$/.test(value) && Number(value) >= 22 && Number(value) <= passwordLengthMax ? undefined : 'must be a whole number from 22 to 41',
}
const resetKey: PolicyKey = {
  name: 'reset',
  default: 'known',
  help: 'known sets a new master password only while the stored one, or the new one, logs in; always also when neither does',
  check: (value) => (['known', 'always'].includes(value) ? undefined : 'must be known or always'),
}
const pollMs = 5000
const againMs = 60_000
/** What is left for the answer and the bookkeeping. */
const restMs = 10_000

/**
 * The master password of an RDS instance or cluster, set through the control plane, so that nobody needs a right in the database. One login with the
 * stored password comes first: a value that names somebody else's database changes nothing there. `inner` logs in and compares.
 */
export function create<V extends Login>(inner: Rotator<V>): Rotator<RdsValue<V>> {
  const within = (context: Context<RdsValue<V>>): Context<V> => {
    const { current, previous, ...rest } = context
    return {
      ...rest,
      ...(current ? { current: current.login } : {}),
      ...(previous ? { previous: async () => (await previous())?.login } : {}),
    }
  }
  /** A new password may be refused at first: each look asks the server itself. */
  const afresh = (context: Context<RdsValue<V>>): Context<V> => ({ ...within(context), env: { ...context.env } })
  const { usage } = inner

  return {
    about: {
      kind: 'rds',
      title: 'Master password of RDS',
      type: 'database',
      strategies: ['replace'],
      policy: [lengthKey, resetKey, ...inner.about.policy.filter(({ name }) => name === 'sessions')],
    },
    traits: { ...inner.traits, class: 'A', slots: () => 1, propagates: true, needsAdmin: 'no', rollback: () => 'reapply' },
    parse: (value, policy) => {
      const login = inner.parse(value, policy)
      return { login, place: placeOf(value, login.host) }
    },
    render: (shape, next) => inner.render(shape, next.login),
    identify: ({ login }) => inner.identify(login),
    check: (context, pending) => {
      inner.check(within(context), pending?.login)
      if (pending && context.current && !isSame(pending.place, context.current.place)) {
        throw new RotationError('bad_value', 'The pending value names another database than the current one.', {
          field: pending.place.kind === 'cluster' ? 'dbClusterIdentifier' : 'dbInstanceIdentifier',
          next: 'Put a corrected value; the pending one is not applied.',
        })
      }
    },
    propose: (context) => {
      const login = inner.propose(within(context))
      if (login.password.reveal().length > passwordLengthMax) {
        const next = 'Set keyturn-length, or PASSWORD_LENGTH, to 41 or less.'
        throw new RotationError('bad_policy', `RDS takes at most ${passwordLengthMax} characters.`, { field: 'keyturn-length', next })
      }
      return { login, place: (context.current as RdsValue<V>).place }
    },
    apply: (context, pending) => apply(inner, context, () => afresh(context), pending),
    accepted: (context, value) => inner.accepted(within(context), value.login),
    verify: (context, pending) => inner.verify(afresh(context), pending.login),
    ...(usage ? { usage: (context: Context<RdsValue<V>>, id: CredentialId) => usage(within(context), id) } : {}),
    retire: async () => ({ done: true }), // the old password died with the change
    ...(inner.endSessions ? { endSessions: (context, id) => inner.endSessions?.(within(context), id) ?? Promise.resolve() } : {}),
    classify: (cause) => {
      const code = classify(cause)
      return code === 'internal' ? inner.classify(cause) : code
    },
  }
}

const isSame = (one: Place, other: Place): boolean => one.kind === other.kind && one.id === other.id

/** Sent once, then looked after until it is in effect, or `again` where this invocation ends before. */
async function apply<V extends Login>(
  inner: Rotator<V>,
  context: Context<RdsValue<V>>,
  look: () => Context<V>,
  { login, place }: RdsValue<V>,
): Promise<Progress> {
  const { env, deadline } = context
  for (let sent = false; ; await env.sleep(pollMs)) {
    const database = await lookAt(place)
    assertOurs(database, login)
    if (!database.changing && database.status === 'available') {
      if (sent || (await isInEffect(inner, look(), login))) return { done: true }
      assertInTime(context, `the password of ${login.user} was set`)
      await setMasterPassword(database.place, login.password)
      env.log('master_password_sent', { database: database.place.id })
      sent = true
    } else if (!sent && !database.changing) return { done: false, again: env.now() + againMs, why: 'held' }
    if (env.cancelled.aborted || env.now() + pollMs + restMs >= deadline)
      return { done: false, again: env.now() + againMs, why: 'not_propagated' }
  }
}

/** target_auth when neither the stored nor the new one logs in, and the policy does not say that this is no matter. */
async function isInEffect<V extends Login>(inner: Rotator<V>, context: Context<V>, pending: V): Promise<boolean> {
  if (context.current && (await inner.accepted(context, context.current))) return false
  if (await inner.accepted(context, pending)) return true
  if (context.policy['keyturn-reset'] === 'always') return false
  throw new RotationError('target_auth', `RDS has another master password for ${pending.user} than the stored one.`, {
    next: 'Put the right one with keyturn put, or set keyturn-reset=always to have a new one set in any case.',
  })
}
