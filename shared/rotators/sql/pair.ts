import { policyText } from '../../core/policy/index.js'
import type { PolicyKey, Strategy } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { failPolicy } from './errors.js'
import { type NameRule, whyTooLong } from './names.js'

const auto = 'auto'
/** The policy key that names the two logins of a pair. */
export const pairKey: PolicyKey = {
  name: 'pair',
  default: 'auto',
  help: 'alternate: the two logins that take turns, with a space between; auto: the name and the name with _clone, which is made where it is missing',
  check: (value) => {
    if (value === auto) return undefined
    const names = value.split(' ')
    if (names.includes('')) return 'has an empty name; it must name two logins, with one space between'
    if (names.length !== 2) return 'must name two logins, with a space between'
    return names[0] === names[1] ? 'names one login twice; it must name two different ones' : undefined
  },
}

/** Whether the policy itself asks for the names with and without _clone: then the second login is made when the secret is adopted. */
export const isAutoPair = (policy: Policy): boolean => strategyOf(policy) === 'alternate' && policy['keyturn-pair'] === auto
/** One login whose password is replaced, or two that take turns. */
export const strategyOf = (policy: Policy): Strategy => (policy['keyturn-strategy'] === 'alternate' ? 'alternate' : 'replace')

/** The other login of the pair. bad_policy when `user` is in no pair, or when a name is too long for the server. */
export function otherOf(user: string, policy: Policy, names: NameRule): string {
  const text = policyText(policy, pairKey)
  const pair = text === undefined || text === auto ? cloneNames(user) : text.split(' ')
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

/** Whether one name is that of the other one's clone, as the templates write it. */
export const isCloneOf = (clone: string, user: string): boolean => clone === `${user}_clone`

/** The names that the rotation templates of AWS give to a pair. */
const cloneNames = (user: string): readonly string[] =>
  user.endsWith('_clone') ? [user.slice(0, -'_clone'.length), user] : [user, `${user}_clone`]
