import { RotationError } from '../core/errors.js'
import { generatePassword } from '../core/password.js'
import type { Progress, Rotator } from '../core/ports/rotator.js'
import type { CredentialId } from '../core/ports/words.js'
import { SecretText } from '../core/secret-text.js'
import { change } from './postgres/change.js'
import { check } from './postgres/check.js'
import { verify } from './postgres/compare.js'
import { checkEndpoints, endpointsOutlook, throughEndpoints, tryEndpoints } from './postgres/endpoints.js'
import { classify } from './postgres/errors.js'
import { explainedLogin } from './postgres/explain.js'
import { policyKeys } from './postgres/policy.js'
import { prepare } from './postgres/prepare.js'
import { endSessions, retire } from './postgres/retire.js'
import { seeSession } from './postgres/see-session.js'
import { usage } from './postgres/usage.js'
import { dialect, type PostgresValue, parsePostgres } from './postgres/value.js'
import { assertClear } from './sql/clear.js'
import { renderLogin } from './sql/login.js'
import { otherOf, strategyOf } from './sql/pair.js'
import { passwordRule, sessionsEnd } from './sql/policy.js'

/**
 * PostgreSQL 14 to 18. replace: one login changes its own password, or an administrator does. alternate: an administrator sets the idle login of a
 * pair, and makes it where it is missing; the logins are plain, or both act as one owner role. A rotation makes two connections. The server only ever
 * receives a verifier.
 */
const postgres: Rotator<PostgresValue> = {
  about: {
    kind: 'postgres',
    title: 'logins of PostgreSQL 14 to 18, tested against real servers of each',
    type: 'database',
    strategies: ['replace', 'alternate'],
    policy: policyKeys,
  },
  traits: {
    outside: true,
    slots: (policy) => (strategyOf(policy) === 'alternate' ? 2 : 1),
    propagates: false,
    rollback: (policy) => (strategyOf(policy) === 'alternate' ? 'publish' : 'reapply'),
  },
  parse: parsePostgres,
  assertClear: (value) => assertClear(value, dialect),
  render: (shape, next) => renderLogin(shape, next, dialect),
  identify: ({ user }) => user as CredentialId,
  check: (context, pending) => {
    check(context, pending)
    checkEndpoints(context, pending)
  },
  propose: (context) => {
    const { current, policy, env } = context
    if (current === undefined) throw new RotationError('internal', 'A proposal needs the current value.', { next: 'Report it.' })
    const alternates = strategyOf(policy) === 'alternate'
    const user = alternates ? otherOf(current.user, policy, dialect.names) : current.user
    const password = generatePassword(passwordRule(policy, env.password), env.random)
    return { ...current, user, password: new SecretText(password) }
  },
  apply: async (context, pending): Promise<Progress> => {
    await change(context, pending)
    return { done: true }
  },
  accepted: async (context, value) => {
    const result = await explainedLogin(context, value)
    if ('session' in result) {
      await result.session.end()
      return true
    }
    if (result.proven || result.refused) return result.proven
    throw result.failed
  },
  verify: async (context, pending) => {
    const differences = await verify(context, pending)
    const stops = differences.some(({ fatal }) => fatal) // what differs at the server is corrected first
    return stops ? differences : [...differences, ...(await tryEndpoints(context, pending))]
  },
  prepare,
  retire,
  sessions: {
    usage: async (context, id) => throughEndpoints(context, await usage(context, id)),
    end: endSessions,
    endOnRetire: sessionsEnd,
  },
  login: seeSession,
  outlook: endpointsOutlook,
  classify,
}

/** Returns the same rotator each time: it keeps nothing between calls. */
export const create = () => postgres
