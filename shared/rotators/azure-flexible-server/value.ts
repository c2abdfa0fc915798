import type { Rotator } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { provenBy } from '../control-plane/policy.js'
import { type Engine, engineOf, type PlacedLogin, parseFor } from '../control-plane/value.js'
import { failValue } from '../sql/errors.js'
import type { DatabaseLogin } from '../sql/login.js'
import { engineOfPlace, type Place, placeIn } from './policy.js'

/** The administrator login, and of which server it is. */
export interface FlexibleValue extends PlacedLogin<Place> {
  /** As the id of the server says it. */
  readonly engine: Engine
}

const titles: Readonly<Record<Engine, string>> = { postgres: 'PostgreSQL', mysql: 'MySQL' }

/** bad_value with the field, also where the value is of another engine than the server; bad_policy where the policy names no server. */
export function parseFlexible(inner: Rotator<DatabaseLogin>, value: SecretText, policy: Policy): FlexibleValue {
  const place = placeIn(policy)
  const known = { engine: engineOfPlace(place), provenBy: provenBy(policy) }
  const said = engineOf(value)
  if (said !== undefined && said !== known.engine)
    failValue(
      'engine',
      `, or the URL, is of ${titles[said]}, and keyturn-resource-id names a server of ${titles[known.engine]}`,
      'Correct the value or keyturn-resource-id; nothing was changed.',
    )
  return { login: parseFor(inner, value, policy, known), place, ...known }
}
