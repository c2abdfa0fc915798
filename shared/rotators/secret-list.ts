import { defaultRule, generatePassword } from '../core/password.js'
import type { AnyRotator, Context, Rotator } from '../core/ports/rotator.js'
import type { CredentialId } from '../core/ports/words.js'
import { SecretText } from '../core/secret-text.js'
import { currentOf, newId, selfIssued } from '../core/self-issued.js'
import { assertCount, countOf, type ListValue, lengthOf, parseListValue, policyKeys, renderListValue } from './secret-list/value.js'

/**
 * Ordered secrets of a server for its own sessions and cookies. The first one signs, and all of them are accepted. A rotation puts a new one in front,
 * and removes the last one where the list would be longer than its count. Nothing outside has to be told.
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
  // What the newest secret signed or encrypted since then is still accepted.
  restore: (current, { secrets: [first, ...older], ...rest }, policy) => {
    const isNew = (one: SecretText): boolean => ![first, ...older].some((each) => each?.equals(one))
    const newer = current.secrets.filter(isNew)
    const secrets = first ? [first, ...newer, ...older] : [...newer, ...older]
    return { ...rest, secrets: secrets.slice(0, countOf(policy, current)) }
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
