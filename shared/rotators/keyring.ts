import { RotationError } from '../core/errors.js'
import type { AnyRotator, Context, Rotator } from '../core/ports/rotator.js'
import type { CredentialId } from '../core/ports/words.js'
import { SecretText } from '../core/secret-text.js'
import { currentOf, newId, selfIssued } from '../core/self-issued.js'
import { countOf, likeOf, policyKeys } from './keyring/policy.js'
import { type KeyringValue, parseKeyring, type RingKey, renderKeyring } from './keyring/value.js'

/**
 * Keys of data at rest, by id: one encrypts, the older ones only decrypt. An older one leaves with the first rotation after somebody has said that
 * nothing is encrypted with it any more; until then it is never dropped, and a full ring is held. There is no way back: what the newer key
 * encrypted meanwhile would be lost, and an old key must not encrypt again.
 */
const keyring: Rotator<KeyringValue> = {
  ...selfIssued(countOf, false), // its older keys have notes of their own
  about: {
    kind: 'keyring',
    title: 'encryption keys with ids: one encrypts, the older ones decrypt until their data is re-encrypted',
    type: 'symmetric',
    strategies: ['overlap'],
    policy: policyKeys,
  },
  traits: { ...selfIssued(countOf, false).traits, rollback: () => 'none' },
  parse: parseKeyring,
  render: renderKeyring,
  identify: ({ keys: [primary] }) => primary.id as CredentialId,
  older: { retained: ({ keys: [, ...others] }) => others.map(({ id }) => id as CredentialId) },
  check: ({ policy, current }) => {
    if (current === undefined) return
    likeOf(policy, current)
    if (current.keys.length > countOf(policy)) throw tooFewError(current.keys.length)
  },
  tooEarly: (context) => {
    const kept = keptOf(context)
    return kept.length < countOf(context.policy)
      ? undefined
      : `all ${kept.length} keys still decrypt something: re-encrypt what ${kept.at(-1)?.id} encrypted`
  },
  propose,
  verify,
}

const keptOf = (context: Context<KeyringValue>): readonly RingKey[] =>
  currentOf(context).keys.filter(({ id }) => !(context.released ?? []).includes(id as CredentialId))

function propose(context: Context<KeyringValue>): KeyringValue {
  const { policy, env } = context
  const current = currentOf(context)
  const { encoding, size } = likeOf(policy, current)
  const kept = keptOf(context)
  if (kept.length >= countOf(policy)) {
    const oldest = kept.at(-1)?.id
    throw new RotationError('held', `All ${kept.length} keys of ${context.ref.shown} still decrypt something.`, {
      next: `Re-encrypt what ${oldest} encrypted, then run keyturn reencrypted ${context.ref.shown} --key ${oldest}.`,
    })
  }
  const fresh: RingKey = { id: newId(context), key: new SecretText(Buffer.from(env.random(size)).toString(encoding)) }
  return { field: current.field, keys: [fresh, ...kept] }
}

/** Nobody outside could refuse it: but a ring without a key of before would make its data unreadable, whoever put it. */
async function verify({ current, released = [] }: Context<KeyringValue>, { keys, field }: KeyringValue): Promise<readonly []> {
  for (const { id, key } of current?.keys ?? []) {
    const there = keys.find((one) => one.id === id)
    if (there?.key.equals(key) || (there === undefined && released.includes(id as CredentialId))) continue
    throw new RotationError(
      'bad_value',
      `The new value ${there ? 'has another key as' : 'is without the key'} ${id}, which still decrypts.`,
      {
        field: `${field}_previous`,
        next: `Keep it, or say that nothing needs it: keyturn reencrypted <ref> --key ${id}.`,
      },
    )
  }
  if (current === undefined || current.keys[0].id === keys[0].id || !current.keys.some(({ id }) => id === keys[0].id)) return []
  throw new RotationError('bad_value', `The new value would encrypt with ${keys[0].id} again, an older key.`, {
    field,
    next: 'A key encrypts once in its life: let a rotation make a new one.',
  })
}

const tooFewError = (there: number): RotationError =>
  new RotationError('bad_policy', `keyturn-count is less than the ${there} keys that are there: one would be dropped while it decrypts.`, {
    field: 'keyturn-count',
    next: 'Say which are not needed any more (keyturn reencrypted), rotate, and lower it then.',
  })

/** The value's type is the rotator's own business: callers only carry values from one method to the next. */
export const create = (): AnyRotator => keyring
