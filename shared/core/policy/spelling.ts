import type { PolicyKey } from '../ports/rotator.js'
import type { Policy } from '../ports/words.js'
import { policyText } from './parse.js'

/** The key of every rotator that draws keys: whether a new one is written as the one before it. */
export const spellingKey: PolicyKey = {
  name: 'spelling',
  default: 'keep',
  help: 'keep: a new key has the prefix, alphabet, padding and length of the present one; change: it has what the policy names',
  check: (value) => (['keep', 'change'].includes(value) ? undefined : 'must be keep or change'),
}

/** Whether the policy says that a new key may be written in another way than the present one. */
export const mayChangeSpelling = (policy: Policy): boolean => policyText(policy, spellingKey) === 'change'
