import { defaultRule, generatePassword } from '../core/password.js'
import type { AnyRotator, Context, Rotator } from '../core/ports/rotator.js'
import type { CredentialId } from '../core/ports/words.js'
import { SecretText } from '../core/secret-text.js'
import { currentOf, newId, selfIssued } from '../core/self-issued.js'
import { assertCount, countOf, type ListValue, lengthOf, parseListValue, policyKeys, renderListValue } from './secret-list/value.js'

/**
 * Ordered secrets of a server for its own sessions and cookies: the first signs, all of them are accepted. A rotation puts a new one in front and
 * takes the last away where the list would be longer than its count; nothing outside has to be told.
 */
const secretList: Rotator<ListValue> = {
  ...selfIssued(() => 2),
  about: {
    kind: 'secret-list',
    title: 'session, cookie and cipher secrets: a list whose first one signs',
    type: 'symmetric',
    strategies: ['overlap'],
    policy: policyKeys,
  },
  parse: parseListValue,
  render: renderListValue,
  identify: ({ field, id }) => `${field} ${id ?? 'first'}` as CredentialId,
  check: ({ policy, current }) => {
    if (current === undefined) return
    lengthOf(policy, current)
    assertCount(policy, current)
  },
  propose,
  // What the newest one signed or encrypted since is still accepted.
  restore: (current, { secrets: [first, ...older], ...rest }, policy) => {
    const isNew = (one: SecretText): boolean => ![first, ...older].some((each) => each?.equals(one))
    const secrets = [...(first ? [first] : []), ...current.secrets.filter(isNew), ...older].slice(0, countOf(policy, current))
    return { ...rest, secrets }
  },
}

function propose(context: Context<ListValue>): ListValue {
  const { policy, env } = context
  const current = currentOf(context)
  const length = lengthOf(policy, current)
  const fresh = new SecretText(generatePassword({ ...defaultRule, length }, env.random))
  const secrets = [fresh, ...current.secrets].slice(0, countOf(policy, current))
  return { field: current.field, secrets, id: newId(context) }
}

/** The value's type is the rotator's own business: callers only carry values from one method to the next. */
export const create = (): AnyRotator => secretList
