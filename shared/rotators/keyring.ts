import { RotationError } from '../core/errors.js'
import type { AnyRotator, Context, Rotator } from '../core/ports/rotator.js'
import type { CredentialId, SecretRef } from '../core/ports/words.js'
import { SecretText } from '../core/secret-text.js'
import { currentOf, newId, selfIssued } from '../core/self-issued.js'
import { countOf, makerFor, policyKeys } from './keyring/policy.js'
import { type KeyringValue, parseKeyring, type RingKey, renderKeyring } from './keyring/value.js'

/**
 * Keys of data at rest, by id. One is the encryption key; the older ones are decryption-only. An older key leaves with the first rotation after
 * somebody has said that nothing is encrypted with it any more. Until then it is never dropped, and a rotation of a full ring is held. There is no
 * rollback: it would lose what the newer key has encrypted meanwhile, and an old key must not encrypt again.
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
  identify: ({ keys: [primary] }) => idOf(primary),
  older: { retained: ({ keys: [, ...others] }) => others.map(idOf) },
  check,
  tooEarly,
  propose,
  verify,
}

const idOf = ({ id }: RingKey): CredentialId => id as CredentialId

function check({ policy, current }: Context<KeyringValue>): void {
  if (current === undefined) return
  makerFor(policy, current)
  const there = current.keys.length
  if (there > countOf(policy)) throw tooFewError(there)
}

function tooEarly(context: Context<KeyringValue>): string | undefined {
  const kept = keptOf(context)
  if (kept.length < countOf(context.policy)) return undefined
  return `all ${kept.length} keys still decrypt something: re-encrypt what ${kept.at(-1)?.id} encrypted`
}

function keptOf(context: Context<KeyringValue>): readonly RingKey[] {
  const { released = [] } = context
  return currentOf(context).keys.filter((key) => !released.includes(idOf(key)))
}

function propose(context: Context<KeyringValue>): KeyringValue {
  const { policy, env } = context
  const current = currentOf(context)
  const make = makerFor(policy, current)
  const kept = keptOf(context)
  if (kept.length >= countOf(policy)) throw fullError(context.ref, kept)
  const key = new SecretText(make(env.random))
  const fresh: RingKey = { id: newId(context), key }
  return { field: current.field, keys: [fresh, ...kept] }
}

/** Nothing outside could refuse the value. But a ring that lost an old key would make that key's data unreadable, whoever put the ring. */
async function verify({ current, released = [] }: Context<KeyringValue>, value: KeyringValue): Promise<readonly []> {
  if (current === undefined) return []
  for (const key of current.keys) assertKept(key, value, released)
  assertNoOlderEncrypts(current, value)
  return []
}

function assertKept(key: RingKey, { keys, field }: KeyringValue, released: readonly CredentialId[]): void {
  const { id } = key
  const there = keys.find((one) => one.id === id)
  if (there?.key.equals(key.key)) return
  if (there === undefined && released.includes(idOf(key))) return
  const wrong = there ? 'has another key as' : 'is without the key'
  throw new RotationError('bad_value', `The new value ${wrong} ${id}, which still decrypts.`, {
    field: `${field}_previous`,
    next: `Keep it, or say that nothing needs it: keyturn reencrypted <ref> --key ${id}.`,
  })
}

function assertNoOlderEncrypts(current: KeyringValue, { keys, field }: KeyringValue): void {
  const { id } = keys[0]
  const [primary, ...older] = current.keys
  if (id === primary.id || !older.some((one) => one.id === id)) return
  throw new RotationError('bad_value', `The new value would encrypt with ${id} again, an older key.`, {
    field,
    next: 'A key encrypts only once in its life. Let a rotation make a new one.',
  })
}

function fullError({ shown }: SecretRef, kept: readonly RingKey[]): RotationError {
  const oldest = kept.at(-1)?.id
  return new RotationError('held', `All ${kept.length} keys of ${shown} still decrypt something.`, {
    next: `Re-encrypt what ${oldest} encrypted, then run keyturn reencrypted ${shown} --key ${oldest}.`,
  })
}

function tooFewError(there: number): RotationError {
  const why = `keyturn-count is less than the ${there} keys that are there`
  return new RotationError('bad_policy', `${why}: one would be dropped while it decrypts.`, {
    field: 'keyturn-count',
    next: 'Say which are not needed any more (keyturn reencrypted), rotate, and lower the count then.',
  })
}

/** The value's type is the rotator's own business: callers only carry values from one method to the next. */
export const create = (): AnyRotator => keyring
