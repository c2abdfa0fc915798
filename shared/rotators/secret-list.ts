import { RotationError } from '../core/errors.js'
import { defaultRule, generatePassword } from '../core/password.js'
import type { Code } from '../core/ports/errors.js'
import type { AnyRotator, Context, Rotator } from '../core/ports/rotator.js'
import type { CredentialId } from '../core/ports/words.js'
import { SecretText } from '../core/secret-text.js'
import { countOf, type ListValue, lengthOf, parseListValue, policyKeys, renderListValue } from './secret-list/value.js'

const idBytes = 6

/**
 * Ordered secrets of a server for its own sessions and cookies: the first signs, all of them are accepted. A rotation puts a new one in front and
 * takes the last away where the list would be longer than its count; nothing outside has to be told.
 */
const secretList: Rotator<ListValue> = {
  about: {
    kind: 'secret-list',
    title: 'session, cookie and cipher secrets: a list whose first one signs',
    type: 'symmetric',
    strategies: ['overlap'],
    policy: policyKeys,
  },
  traits: {
    class: 'F',
    slots: () => 2,
    mints: false,
    propagates: false,
    usage: 'none',
    needsAdmin: 'no',
    rollback: () => 'publish',
  },
  parse: parseListValue,
  render: renderListValue,
  identify: ({ field, id }) => `${field} ${id ?? 'first'}` as CredentialId,
  check: ({ policy, current }) => {
    if (current) lengthOf(policy, current)
  },
  propose,
  apply: async () => ({ done: true }),
  accepted: async () => true,
  verify: async () => [],
  retire: async () => ({ done: true }),
  classify: (cause): Code => (cause instanceof RotationError ? cause.code : 'internal'),
}

function propose({ current, policy, env }: Context<ListValue>): ListValue {
  if (current === undefined) throw new RotationError('internal', 'A proposal needs the current value.', { next: 'Report it.' })
  const length = lengthOf(policy, current)
  const fresh = new SecretText(generatePassword({ ...defaultRule, length }, env.random))
  const secrets = [fresh, ...current.secrets].slice(0, countOf(policy, current))
  return { field: current.field, secrets, id: Buffer.from(env.random(idBytes)).toString('hex') }
}

/** The value's type is the rotator's own business: callers only carry values from one method to the next. */
export const create = (): AnyRotator => secretList
