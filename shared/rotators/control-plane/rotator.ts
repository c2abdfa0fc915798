import { RotationError } from '../../core/errors.js'
import { seeLogin } from '../../core/login-seen.js'
import { optional } from '../../core/optional.js'
import { generatePassword } from '../../core/password.js'
import type { Env } from '../../core/ports/env.js'
import type { Context, LoginSeen, PolicyKey, Rotator, Sessions } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { checkLogins } from '../sql/check.js'
import { assertClear } from '../sql/clear.js'
import { mysqlDialect } from '../sql/dialects.js'
import { failValue } from '../sql/errors.js'
import { type DatabaseLogin, renderLogin } from '../sql/login.js'
import { passwordRule } from '../sql/policy.js'
import { applyChange, type Change } from './apply.js'
import { failMysqlLogin, provenBy } from './policy.js'
import { dialectOf, type PlacedLogin } from './value.js'
import { afresh, sessionsWithin, within } from './within.js'

/** An interface of a platform that sets passwords of its databases. */
export interface ControlPlane<V extends PlacedLogin> {
  readonly kind: string
  readonly title: string
  readonly policy: readonly PolicyKey[]
  /** Who answers, as a sentence names it: the Admin API. */
  readonly answerer: string
  /** What a person restarts to end sessions: the instance. */
  readonly restarts: string
  /** bad_value with the field; bad_policy. */
  parse(value: SecretText, policy: Policy): V
  change(env: Env, pending: V): Change
  /** Asks whether the server, and the login, are there and ours. With a login as the proof only what has to be known before it. Changes nothing. */
  look(env: Env, value: V): Promise<void>
  /** Throws for a password that the service is known to refuse. bad_value. */
  assertKeepsRule?(password: SecretText): void
}

/**
 * A login of a database whose password a control plane sets, so that nobody needs a right in the database. Where a network path leads there, `inner`
 * logs in and compares; else only the answer of the control plane proves a value.
 */
export function controlPlaneRotator<V extends PlacedLogin>(inner: Rotator<DatabaseLogin>, plane: ControlPlane<V>): Rotator<V> {
  const { kind, title, policy: keys, answerer } = plane
  const { sessions } = inner
  return {
    about: { kind, title, type: 'database', strategies: ['replace'], policy: keys },
    traits: {
      ...inner.traits,
      slots: () => 1,
      propagates: true,
      asynchronous: true,
      proof: provenBy,
      rollback: () => 'reapply',
    },
    parse: (value, policy) => plane.parse(value, policy),
    assertClear: (value) => {
      inner.assertClear?.(value)
      assertClear(value, mysqlDialect)
    },
    render: (shape, next) => renderLogin(shape, next.login, dialectOf(next.engine)),
    identify: ({ login }) => inner.identify(login),
    check: (context, pending) => check(inner, plane, context, pending),
    propose: ({ current, policy, env }) => {
      if (current === undefined) throw new RotationError('internal', 'A proposal needs the current value.', { next: 'Report it.' })
      const password = new SecretText(generatePassword(passwordRule(policy, env.password), env.random))
      return { ...current, login: { ...current.login, password } }
    },
    apply: (context, pending) => applyChange(inner, context, pending, plane.change(context.env, pending)),
    accepted: (context, value) => inner.accepted(within(context), value.login),
    verify: async (context, pending) => (pending.provenBy === 'answer' ? [] : inner.verify(afresh(context), pending.login)),
    retire: async () => ({ done: true }), // the change has ended the old password
    ...optional('sessions', sessions && sessionsSeen(plane, sessions)),
    login: (context, value) => look(inner, plane, context, value),
    outlook: (value, policy) =>
      value.provenBy === 'answer'
        ? `no login will test the new password: it is published once ${answerer} says that it is set`
        : inner.outlook?.(value.login, policy),
    classify: (cause) => (cause instanceof RotationError ? cause.code : inner.classify(cause)),
  }
}

function check<V extends PlacedLogin>(
  inner: Rotator<DatabaseLogin>,
  { answerer, assertKeepsRule }: ControlPlane<V>,
  context: Context<V>,
  pending: V | undefined,
): void {
  const value = pending ?? context.current
  if (value?.provenBy === 'login') {
    if (value.engine === 'mysql') failMysqlLogin(answerer)
    inner.check(within(context), pending?.login)
    return
  }
  if (value !== undefined) checkLogins(within(context), pending?.login, dialectOf(value.engine))
  if (pending === undefined) return
  if (/[^\x20-\x7e]/.test(pending.login.password.reveal()))
    failValue('password', 'holds characters outside printable ASCII, which clients prepare differently', 'Use printable ASCII only.')
  assertKeepsRule?.(pending.login.password)
}

/** Where no password can be tried, the service says whether the login is there. */
async function look<V extends PlacedLogin>(
  inner: Rotator<DatabaseLogin>,
  plane: ControlPlane<V>,
  context: Context<V>,
  value: V,
): Promise<LoginSeen> {
  await plane.look(context.env, value)
  return value.provenBy === 'login' ? seeLogin(inner, within(context), value.login) : { passwordAccepted: null, logsIn: null }
}

/** Without a network path nobody sees a session. */
function sessionsSeen<V extends PlacedLogin>({ restarts }: ControlPlane<V>, sessions: Sessions<DatabaseLogin>): Sessions<V> {
  const seen = sessionsWithin<V>(sessions)
  return {
    usage: async (context, id) =>
      provenBy(context.policy) === 'answer'
        ? { inUse: 'unknown', evidence: 'no network path leads to the database' }
        : seen.usage(context, id),
    end: async (context, id) => {
      if (provenBy(context.policy) === 'login') return seen.end(context, id)
      throw new RotationError('target_denied', 'No network path leads to the database, so that open sessions cannot be ended from here.', {
        next: `End them in the database, or restart ${restarts}.`,
      })
    },
    endOnRetire: (policy) => provenBy(policy) === 'login' && seen.endOnRetire(policy),
  }
}
