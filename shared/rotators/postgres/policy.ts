import { RotationError } from '../../core/errors.js'
import { checkRule, defaultRule, type PasswordRule, wishedRule } from '../../core/password.js'
import { policyText } from '../../core/policy/index.js'
import type { PasswordWishes } from '../../core/ports/env.js'
import type { PolicyKey, Strategy } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { nameBytesMax } from './value.js'

export const pairKey: PolicyKey = {
  name: 'pair',
  help: 'alternate: the two logins that take turns, made beforehand; default: the name and the name with _clone',
  check: (value) => (/^\S+ \S+$/.test(value) ? undefined : 'must name two logins, with a space between'),
}
const lengthKey: PolicyKey = {
  name: 'length',
  default: String(defaultRule.length),
  help: 'characters of a new password, 22 to 128',
  check: (value) =>
    /^\d{2,3}$/.test(value) && Number(value) >= 22 && Number(value) <= 128 ? undefined : 'must be a whole number from 22 to 128',
}
const differencesKey: PolicyKey = {
  name: 'differences',
  default: 'refuse',
  help: 'what a difference between the two logins does: refuse stops before publishing, report only says it',
  check: (value) => (['refuse', 'report'].includes(value) ? undefined : 'must be refuse or report'),
}
const sessionsKey: PolicyKey = {
  name: 'sessions',
  default: 'keep',
  help: 'what happens to open sessions of a login that is retired: keep lets them go on, end ends them',
  check: (value) => (['keep', 'end'].includes(value) ? undefined : 'must be keep or end'),
}
export const policyKeys: readonly PolicyKey[] = [pairKey, lengthKey, differencesKey, sessionsKey]

export const strategyOf = (policy: Policy): Strategy => (policy['keyturn-strategy'] === 'alternate' ? 'alternate' : 'replace')
export const hashOf = (policy: Policy): 'scram' | 'server' => (policy['keyturn-hash'] === 'server' ? 'server' : 'scram')
/** Open sessions of a login that is retired end with it. */
export const sessionsEnd = (policy: Policy): boolean => policyText(policy, sessionsKey) === 'end'
export const differencesAreFatal = (policy: Policy): boolean => policyText(policy, differencesKey) !== 'report'

export function passwordRule(policy: Policy, wishes?: PasswordWishes): PasswordRule {
  const wished = wishes ? wishedRule(wishes) : defaultRule
  const own = policy[`keyturn-${lengthKey.name}`]
  const rule = { ...wished, ...(own === undefined ? {} : { length: Number(own) }) }
  checkRule(rule)
  return rule
}

/** The other login of the pair. bad_policy when `user` is in no pair, or when a name would be cut. */
export function otherOf(user: string, policy: Policy): string {
  const text = policyText(policy, pairKey)
  const pair = text === undefined ? cloneNames(user) : text.split(' ')
  const other = pair.find((name) => name !== user)
  const tooLong = pair.find((name) => Buffer.byteLength(name) > nameBytesMax)
  if (tooLong !== undefined)
    refuse(`names a login of ${Buffer.byteLength(tooLong)} bytes; PostgreSQL cuts names after ${nameBytesMax}`, 'Use shorter names.')
  if (!pair.includes(user) || other === undefined)
    return refuse(`does not name ${user}, which the secret holds now`, `Name it and the other login, such as keyturn-pair="${user} other".`)
  return other
}

const cloneNames = (user: string): readonly string[] =>
  user.endsWith('_clone') ? [user.slice(0, -'_clone'.length), user] : [user, `${user}_clone`]

const refuse = (why: string, next: string): never => {
  throw new RotationError('bad_policy', `The policy key keyturn-pair ${why}.`, { field: 'keyturn-pair', next })
}
