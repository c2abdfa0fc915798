import { policyText } from '../../core/policy/index.js'
import type { PolicyKey, Strategy } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { failPolicy } from './errors.js'
import { type NameRule, whyTooLong } from './names.js'

/** The policy key that names the two logins of a pair. */
export const pairKey: PolicyKey = {
  name: 'pair',
  help: 'alternate: the two logins that take turns, made beforehand; default: the name and the name with _clone',
  check: (value) => {
    const names = value.split(' ')
    if (names.includes('')) return 'has an empty name; it must name two logins, with one space between'
    if (names.length !== 2) return 'must name two logins, with a space between'
    return names[0] === names[1] ? 'names one login twice; it must name two different ones' : undefined
  },
}

/** One login whose password is replaced, or two that take turns. */
export const strategyOf = (policy: Policy): Strategy => (policy['keyturn-strategy'] === 'alternate' ? 'alternate' : 'replace')

/** The other login of the pair. bad_policy when `user` is in no pair, or when a name is too long for the server. */
export function otherOf(user: string, policy: Policy, names: NameRule): string {
  const text = policyText(policy, pairKey)
  const pair = text === undefined ? cloneNames(user) : text.split(' ')
  const other = pair.find((name) => name !== user)
  const tooLong = pair.map((name) => whyTooLong(name, names)).find((why) => why !== undefined)
  if (pair.includes(''))
    failPolicy('pair', 'is not set, and the name without _clone is empty', 'Name both logins, such as keyturn-pair="app_a app_b".')
  if (tooLong !== undefined) failPolicy('pair', `names a login of ${tooLong}`, 'Use shorter names.')
  if (!pair.includes(user) || other === undefined) {
    const next = `Name it and the other login, such as keyturn-pair="${user} other".`
    return failPolicy('pair', `does not name ${user}, which the secret holds now`, next)
  }
  return other
}

/** The names that the rotation templates of AWS give to a pair. */
const cloneNames = (user: string): readonly string[] =>
  user.endsWith('_clone') ? [user.slice(0, -'_clone'.length), user] : [user, `${user}_clone`]
