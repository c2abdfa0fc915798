import { checkRule, defaultRule, type PasswordRule, wishedRule } from '../../core/password.js'
import { policyText } from '../../core/policy/index.js'
import type { PasswordWishes } from '../../core/ports/env.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'

const lengthMin = 22
/** The policy key for the length of a password. `max`: the longest that the server, or its control plane, takes. */
export const lengthKey = (max: number): PolicyKey => ({
  name: 'length',
  default: String(defaultRule.length),
  help: `characters of a new password, ${lengthMin} to ${max}`,
  check: (value) => {
    const isNumber = /^\d+$/.test(value) && value.length <= String(max).length
    const fits = isNumber && Number(value) >= lengthMin && Number(value) <= max
    return fits ? undefined : `must be a whole number from ${lengthMin} to ${max}`
  },
})
/** The policy key for what a difference between two logins does. */
export const differencesKey: PolicyKey = {
  name: 'differences',
  default: 'refuse',
  help: 'what a difference between the two logins does: refuse stops before publishing, report only says it',
  check: (value) => (['refuse', 'report'].includes(value) ? undefined : 'must be refuse or report'),
}
/** The policy key for open sessions of a login that is retired. */
export const sessionsKey: PolicyKey = {
  name: 'sessions',
  default: 'keep',
  help: 'what happens to open sessions of a login that is retired: keep lets them go on, end ends them',
  check: (value) => (['keep', 'end'].includes(value) ? undefined : 'must be keep or end'),
}
/** The policy key that says where a bare password logs in. */
export const atKey: PolicyKey = {
  name: 'at',
  help: 'where a bare value logs in: user@host:port/database',
  check: (value) => (atForm.test(value) ? undefined : 'must be user@host:port/database'),
}
const atForm = /^[^@/ ]+@[^@/: ]+(:\d{1,5})?\/[^@/ ]+$/

/** Whether open sessions of a login that is retired end with it. */
export const sessionsEnd = (policy: Policy): boolean => policyText(policy, sessionsKey) === 'end'
/** Whether a difference between the two logins stops the rotation before it publishes; it does unless the policy says report. */
export const differencesAreFatal = (policy: Policy): boolean => policyText(policy, differencesKey) !== 'report'

/** How a new password looks: the environment's wishes, and the length that the policy names. bad_policy where too few passwords are left to choose from. */
export function passwordRule(policy: Policy, wishes?: PasswordWishes): PasswordRule {
  const wished = wishes ? wishedRule(wishes) : defaultRule
  const own = policy['keyturn-length']
  const rule = own === undefined ? wished : { ...wished, length: Number(own) }
  checkRule(rule)
  return rule
}
