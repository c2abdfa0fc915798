import { createHash } from 'node:crypto'
import { codeOf, RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { AnyRotator, Context, Rotator } from '../core/ports/rotator.js'
import type { CredentialId, Policy } from '../core/ports/words.js'
import { SecretText } from '../core/secret-text.js'
import { currentOf, newId, selfIssued } from '../core/self-issued.js'
import { makerFor } from './random/next.js'
import { overlaps, policyKeys, wishOf } from './random/policy.js'
import { parseRandomValue, type RandomValue, renderRandomValue } from './random/value.js'

/** The id of a key that was never rotated with overlap. */
const firstId = 'first'

/**
 * Keys that their owner makes up: API keys, bearer tokens, webhook secrets, Erlang cookies. Everybody who needs one reads it from the secret. Nothing
 * outside accepts or refuses one, so a rotation is one publication. With overlap the previous key stays in the value until the next rotation, which
 * waits until the required consumers have been seen on the new key.
 */
const random: Rotator<RandomValue> = {
  ...selfIssued((policy) => (overlaps(policy) ? 2 : 1)),
  about: {
    kind: 'random',
    title: 'self-issued keys: API keys, tokens, webhook secrets, Erlang cookies, UUIDs, passphrases, exact bytes',
    type: 'api-key',
    strategies: ['replace', 'overlap'],
    policy: policyKeys,
  },
  typeOf: (policy) => (['cookie', 'hex', 'base64', 'fernet'].includes(policy['keyturn-form'] ?? '') ? 'symmetric' : 'api-key'),
  parse: parseRandomValue,
  render: renderRandomValue,
  // One slot is one credential with a new value; a digest of a key would be a way to guess it.
  identify: ({ field, id }) => (id === undefined ? (field ?? firstId) : `${field} ${id}`) as CredentialId,
  check: ({ policy, current }) => void (current === undefined ? wishOf(policy) : makerFor(policy, current.key.reveal())),
  digests: digestsOf,
  // Clients may have taken the newer one already.
  restore: ({ key }, previous, policy) => (overlaps(policy) ? { ...previous, previous: key, id: previous.id ?? firstId } : previous),
  propose,
  verify,
}

/**
 * Nothing outside could refuse the value. So a value that a person puts must at least have the form that was asked for, or be written so that a
 * rotation can continue with it. The first value was there before.
 */
async function verify(context: Context<RandomValue>, { key, field }: RandomValue): Promise<readonly []> {
  const { policy, current } = context
  const wish = wishOf(policy)
  const has = wish === undefined ? isReadable(policy, key) : wish.form.has(key.reveal(), wish.prefix)
  if (has || current?.key.equals(key)) return []
  const previous = await context.previous?.()
  if (previous?.key.equals(key)) return [] // a rollback
  const wanted =
    wish === undefined
      ? 'does not show how the next one is to be written'
      : `does not have the form that keyturn-form asks for: ${wish.form.title}`
  throw new RotationError('bad_value', `The new value ${wanted}.`, {
    field: field ?? 'value',
    next: wish === undefined ? 'Put a key of at least 64 bits, or name keyturn-form.' : 'Put a value of that form, or change keyturn-form.',
  })
}

/** Whether a rotation can continue with a key where the policy names no form. */
function isReadable(policy: Policy, key: SecretText): boolean {
  try {
    makerFor(policy, key.reveal())
    return true
  } catch (cause) {
    if (codeOf(cause) === 'bad_policy') return false
    throw cause
  }
}

function propose(context: Context<RandomValue>): RandomValue {
  const { policy, env, emergency } = context
  const current = currentOf(context)
  const make = makerFor(policy, current.key.reveal())
  const fresh = { field: current.field, key: new SecretText(make(env.random)) }
  if (!overlaps(policy)) return fresh
  return { ...fresh, ...(emergency ? {} : { previous: current.key }), id: newId(context) }
}

/** Digests by SHA-256, which is enough for a random key: nobody guesses 120 bits. */
function digestsOf({ key, previous, id }: RandomValue): SecretText {
  const of = (text: SecretText): string => createHash('sha256').update(text.reveal()).digest('hex')
  const current = { ...optional('id', id), sha256: of(key) }
  const older = previous === undefined ? null : { sha256: of(previous) }
  return new SecretText(JSON.stringify({ current, previous: older }))
}

/** The value's type is the rotator's own business: callers only carry values from one method to the next. */
export const create = (): AnyRotator => random
