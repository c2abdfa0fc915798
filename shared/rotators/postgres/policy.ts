import { policyText } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { pairKey } from '../sql/pair.js'
import { endpointsKey, serverKey } from '../sql/places.js'
import { atKey, differencesKey, lengthKey, sessionsKey } from '../sql/policy.js'

const hashKey: PolicyKey = {
  name: 'hash',
  default: 'scram',
  help: 'scram: the server only ever receives a verifier; server: it hashes the clear text itself',
  check: (value) => (['scram', 'server'].includes(value) ? undefined : 'must be scram or server'),
}
export const policyKeys: readonly PolicyKey[] = [
  pairKey,
  lengthKey(128),
  differencesKey,
  sessionsKey,
  hashKey,
  atKey,
  serverKey,
  endpointsKey,
]

/** What the server receives for a new password. scram: a verifier, the default · server: the clear text. */
export const hashOf = (policy: Policy): 'scram' | 'server' => (policyText(policy, hashKey) === 'server' ? 'server' : 'scram')
