import { optional } from '../../core/optional.js'
import type { Rotator } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { provenBy } from '../control-plane/policy.js'
import { engineOf, type PlacedLogin, parseFor } from '../control-plane/value.js'
import type { DatabaseLogin } from '../sql/login.js'
import { accountHostIn, type Place, placeIn } from './policy.js'

/** A login, and of which instance it is. Its engine is what the value says of it: which one the instance runs is what the instance says. */
export interface CloudSqlValue extends PlacedLogin<Place> {
  /** Of a MySQL account; undefined: every host. */
  readonly accountHost?: string
}

/** bad_value with the field; bad_policy where the policy names no instance. */
export function parseCloudSql(inner: Rotator<DatabaseLogin>, value: SecretText, policy: Policy): CloudSqlValue {
  const known = { ...optional('engine', engineOf(value)), provenBy: provenBy(policy) }
  const login = parseFor(inner, value, policy, known)
  return { login, place: placeIn(policy), ...known, ...optional('accountHost', accountHostIn(policy)) }
}
