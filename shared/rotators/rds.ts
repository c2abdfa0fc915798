import { RotationError } from '../core/errors.js'
import { seeLogin } from '../core/login-seen.js'
import { optional } from '../core/optional.js'
import type { PolicyKey, Rotator } from '../core/ports/rotator.js'
import { afresh, sessionsWithin, within } from './control-plane/within.js'
import { apply, type RdsValue } from './rds/apply.js'
import { classify } from './rds/errors.js'
import { type Place, placeOf } from './rds/place.js'
import { databaseRotators } from './sql/inner.js'
import type { DatabaseLogin } from './sql/login.js'
import { endpointsKey, serverKey } from './sql/places.js'
import { atKey, lengthKey, sessionsKey } from './sql/policy.js'

/** Aurora and Multi-AZ clusters take 8 to 41 characters, instances of PostgreSQL up to 128: one rule for both. */
const passwordLengthMax = 41
const resetKey: PolicyKey = {
  name: 'reset',
  default: 'known',
  help: 'known sets a new master password only while the stored one, or the new one, logs in; always also when neither does',
  check: (value) => (['known', 'always'].includes(value) ? undefined : 'must be known or always'),
}
/**
 * The master password of an RDS instance or cluster. It is set through the control plane, so nobody needs a right in the database. One login with the
 * stored password comes first, so that a value that names another owner's database changes nothing there. `inner` logs in and compares.
 */
function rdsOver(inner: Rotator<DatabaseLogin>): Rotator<RdsValue> {
  const { sessions } = inner
  return {
    about: {
      kind: 'rds',
      title: 'master passwords of RDS and Aurora PostgreSQL, through the control plane; tested against a double of it',
      type: 'database',
      strategies: ['replace'],
      policy: [lengthKey(passwordLengthMax), resetKey, sessionsKey, atKey, serverKey, endpointsKey],
    },
    traits: {
      ...inner.traits,
      slots: () => 1,
      propagates: true,
      asynchronous: true,
      rollback: () => 'reapply',
    },
    parse: (value, policy) => {
      const login = inner.parse(value, policy)
      return { login, place: placeOf(value, login.host) }
    },
    ...optional('assertClear', inner.assertClear),
    render: (shape, next) => inner.render(shape, next.login),
    identify: ({ login }) => inner.identify(login),
    check: (context, pending) => {
      inner.check(within(context), pending?.login)
      if (pending && context.current && !isSame(pending.place, context.current.place)) {
        throw new RotationError('bad_value', 'The pending value names a different database from the current one.', {
          field: pending.place.kind === 'cluster' ? 'dbClusterIdentifier' : 'dbInstanceIdentifier',
          next: 'Put a corrected value; the pending one is not applied.',
        })
      }
    },
    propose: async (context) => {
      const login = await inner.propose(within(context))
      if (login.password.reveal().length > passwordLengthMax) {
        throw new RotationError('bad_policy', `RDS takes at most ${passwordLengthMax} characters.`, {
          field: 'keyturn-length',
          next: 'Set keyturn-length, or PASSWORD_LENGTH, to 41 or less.',
        })
      }
      return { login, place: (context.current as RdsValue).place }
    },
    apply: (context, pending) => apply(inner, context, () => afresh(context), pending),
    accepted: (context, value) => inner.accepted(within(context), value.login),
    verify: (context, pending) => inner.verify(afresh(context), pending.login),
    retire: async () => ({ done: true }), // the change has ended the old password
    ...optional('sessions', sessions && sessionsWithin(sessions)),
    outlook: (value, policy) => inner.outlook?.(value.login, policy),
    login: (context, value) => seeLogin(inner, within(context), value.login),
    classify: (cause) => {
      const code = classify(cause)
      return code === 'internal' ? inner.classify(cause) : code
    },
  }
}

const isSame = (one: Place, other: Place): boolean =>
  one.kind === other.kind && one.id.toLowerCase() === other.id.toLowerCase() && one.region === other.region

/** Makes the rotator, and loads the driver of the engine with it. */
export const create = async () => rdsOver(await databaseRotators.postgres())
