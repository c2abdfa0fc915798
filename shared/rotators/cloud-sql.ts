import { RotationError } from '../core/errors.js'
import { seeLogin } from '../core/login-seen.js'
import { optional } from '../core/optional.js'
import { generatePassword } from '../core/password.js'
import type { Context, LoginSeen, Rotator, Sessions } from '../core/ports/rotator.js'
import { SecretText } from '../core/secret-text.js'
import { AdminApi } from './cloud-sql/api.js'
import { apply } from './cloud-sql/apply.js'
import { failMysqlLogin, lookAt, lookAtInstance } from './cloud-sql/instance.js'
import { accountHostKey, instanceKey, provenBy, provenByKey } from './cloud-sql/policy.js'
import { type CloudSqlValue, dialectOf, parseCloudSql } from './cloud-sql/value.js'
import { checkLogins } from './sql/check.js'
import { assertClear } from './sql/clear.js'
import { mysqlDialect } from './sql/dialects.js'
import { failValue } from './sql/errors.js'
import { databaseRotators } from './sql/inner.js'
import { type DatabaseLogin, renderLogin } from './sql/login.js'
import { endpointsKey, serverKey } from './sql/places.js'
import { atKey, lengthKey, passwordRule, sessionsKey } from './sql/policy.js'

/** The context for the rotator that logs in: the login, without the instance. */
function within(context: Context<CloudSqlValue>): Context<DatabaseLogin> {
  const { current, previous, ...rest } = context
  const previousLogin = previous && (async () => (await previous())?.login)
  return { ...rest, ...(current ? { current: current.login } : {}), ...optional('previous', previousLogin) }
}

/** A context that remembers no refusal: the password changes beside the logins. */
const afresh = (context: Context<CloudSqlValue>): Context<DatabaseLogin> => ({ ...within(context), env: { ...context.env } })

/**
 * The password of a user of Cloud SQL, set through the Admin API, so that nobody needs a right in the database. Where a network path leads there, `inner`
 * logs in and compares; else only the answer of the API proves a value.
 */
function cloudSqlOver(inner: Rotator<DatabaseLogin>): Rotator<CloudSqlValue> {
  const { sessions } = inner
  return {
    about: {
      kind: 'cloud-sql',
      title: 'users of Cloud SQL (PostgreSQL, MySQL), through its Admin API; tested against a double of it',
      type: 'database',
      strategies: ['replace'],
      policy: [instanceKey, provenByKey, accountHostKey, lengthKey(64), sessionsKey, atKey, serverKey, endpointsKey],
    },
    traits: {
      ...inner.traits,
      slots: () => 1,
      propagates: true,
      asynchronous: true,
      proof: provenBy,
      rollback: () => 'reapply',
    },
    parse: (value, policy) => parseCloudSql(inner, value, policy),
    assertClear: (value) => {
      inner.assertClear?.(value)
      assertClear(value, mysqlDialect)
    },
    render: (shape, next) => renderLogin(shape, next.login, dialectOf(next.engine)),
    identify: ({ login }) => inner.identify(login),
    check: (context, pending) => check(inner, context, pending),
    propose: ({ current, policy, env }) => {
      if (current === undefined) throw new RotationError('internal', 'A proposal needs the current value.', { next: 'Report it.' })
      const password = new SecretText(generatePassword(passwordRule(policy, env.password), env.random))
      return { ...current, login: { ...current.login, password } }
    },
    apply: (context, pending) => apply(inner, context, () => afresh(context), pending),
    accepted: (context, value) => inner.accepted(within(context), value.login),
    verify: async (context, pending) => (pending.provenBy === 'answer' ? [] : inner.verify(afresh(context), pending.login)),
    retire: async () => ({ done: true }), // the change has ended the old password
    ...optional('sessions', sessions && sessionsWithin(sessions)),
    login: (context, value) => look(inner, context, value),
    outlook: (value, policy) =>
      value.provenBy === 'answer'
        ? 'no login will test the new password: it is published once the Admin API says that it is set'
        : inner.outlook?.(value.login, policy),
    classify: (cause) => (cause instanceof RotationError ? cause.code : inner.classify(cause)),
  }
}

function check(inner: Rotator<DatabaseLogin>, context: Context<CloudSqlValue>, pending: CloudSqlValue | undefined): void {
  const value = pending ?? context.current
  if (value?.provenBy === 'login') {
    if (value.engine === 'mysql') failMysqlLogin()
    inner.check(within(context), pending?.login)
    return
  }
  if (value !== undefined) checkLogins(within(context), pending?.login, dialectOf(value.engine))
  if (pending !== undefined && /[^\x20-\x7e]/.test(pending.login.password.reveal()))
    failValue('password', 'holds characters outside printable ASCII, which clients prepare differently', 'Use printable ASCII only.')
}

/** Where no password can be tried, the Admin API says whether the login is there; where the value names no engine, a login follows only if the instance has one for it. */
async function look(inner: Rotator<DatabaseLogin>, context: Context<CloudSqlValue>, value: CloudSqlValue): Promise<LoginSeen> {
  const api = new AdminApi(context.env, value.place)
  if (value.provenBy === 'login') {
    if (value.engine === undefined) await lookAtInstance(api, value)
    return seeLogin(inner, within(context), value.login)
  }
  await lookAt(api, value)
  return { passwordAccepted: null, logsIn: null }
}

/** Without a network path nobody sees a session. */
const sessionsWithin = (sessions: Sessions<DatabaseLogin>): Sessions<CloudSqlValue> => ({
  usage: async (context, id) =>
    provenBy(context.policy) === 'answer'
      ? { inUse: 'unknown', evidence: 'no network path leads to the database' }
      : sessions.usage(within(context), id),
  end: async (context, id) => {
    if (provenBy(context.policy) === 'login') return sessions.end(within(context), id)
    throw new RotationError('target_denied', 'No network path leads to the database, so that open sessions cannot be ended from here.', {
      next: 'End them in the database, or restart the instance.',
    })
  },
  endOnRetire: (policy) => provenBy(policy) === 'login' && sessions.endOnRetire(policy),
})

/** Makes the rotator, and loads the driver of the engine with it. */
export const create = async () => cloudSqlOver(await databaseRotators.postgres())
