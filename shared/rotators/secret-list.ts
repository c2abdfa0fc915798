import type { AnyRotator, Context, Rotator } from '../core/ports/rotator.js'
import type { CredentialId } from '../core/ports/words.js'
import { SecretText } from '../core/secret-text.js'
import { currentOf, newId, selfIssued } from '../core/self-issued.js'
import {
  assertCount,
  countOf,
  type ListValue,
  makerFor,
  outlookOf,
  parseListValue,
  policyKeys,
  renderListValue,
} from './secret-list/value.js'

/**
 * Ordered secrets of a server for its own sessions and cookies. The one at one end signs, and all of them are accepted. A rotation puts a new one at
 * that end, and removes the one at the other end where the list would be longer than its count. Nothing outside has to be told.
 */
const secretList: Rotator<ListValue> = {
  ...selfIssued(() => 2),
  about: {
    kind: 'secret-list',
    title: 'session, cookie and cipher secrets: a list whose first or last one signs',
    type: 'symmetric',
    strategies: ['overlap'],
    policy: policyKeys,
  },
  parse: parseListValue,
  render: renderListValue,
  identify: ({ field, id }) => `${field} ${id ?? 'first'}` as CredentialId,
  check: ({ policy, current }) => {
    if (current === undefined) return
    makerFor(policy, current)
    assertCount(policy, current)
  },
  propose,
  outlook: (current, policy) => outlookOf(policy, current),
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
  const fresh = new SecretText(makerFor(policy, current)(env.random))
  const secrets = [fresh, ...current.secrets].slice(0, countOf(policy, current))
  return { ...current, secrets, id: newId(context) }
}

/** The value's type is the rotator's own business: callers only carry values from one method to the next. */
export const create = (): AnyRotator => secretList
