import { checkRule, defaultRule, type PasswordRule, wishedRule } from '../../core/password.js'
import { policyText } from '../../core/policy/index.js'
import type { PasswordWishes } from '../../core/ports/env.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'

const lengthMin = 22
/** `max`: as many as the server, or its control plane, takes. */
export const lengthKey = (max: number): PolicyKey => ({
  name: 'length',
  default: String(defaultRule.length),
  help: `characters of a new password, ${lengthMin} to ${max}`,
  check: (value) =>
    /^\d+$/.test(value) && value.length <= String(max).length && Number(value) >= lengthMin && Number(value) <= max
      ? undefined
      : `must be a whole number from ${lengthMin} to ${max}`,
})
export const differencesKey: PolicyKey = {
  name: 'differences',
  default: 'refuse',
  help: 'what a difference between the two logins does: refuse stops before publishing, report only says it',
  check: (value) => (['refuse', 'report'].includes(value) ? undefined : 'must be refuse or report'),
}
export const sessionsKey: PolicyKey = {
  name: 'sessions',
  default: 'keep',
  help: 'what happens to open sessions of a login that is retired: keep lets them go on, end ends them',
  check: (value) => (['keep', 'end'].includes(value) ? undefined : 'must be keep or end'),
}
export const atKey: PolicyKey = {
  name: 'at',
  help: 'where a bare value logs in: user@host:port/database',
  check: (value) => (/^[^@/ ]+@[^@/: ]+(:\d{1,5})?\/[^@/ ]+$/.test(value) ? undefined : 'must be user@host:port/database'),
}

/** Open sessions of a login that is retired end with it. */
export const sessionsEnd = (policy: Policy): boolean => policyText(policy, sessionsKey) === 'end'
/** Whether a difference between the two logins stops the rotation before it publishes; it does unless the policy says report. */
export const differencesAreFatal = (policy: Policy): boolean => policyText(policy, differencesKey) !== 'report'

/** How a new password looks: what the environment wishes, of the length that the policy names. bad_policy where too few are left to choose from. */
export function passwordRule(policy: Policy, wishes?: PasswordWishes): PasswordRule {
  const wished = wishes ? wishedRule(wishes) : defaultRule
  const own = policy['keyturn-length']
  const rule = { ...wished, ...(own === undefined ? {} : { length: Number(own) }) }
  checkRule(rule)
  return rule
}
