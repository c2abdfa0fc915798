import { RotationError } from '../../core/errors.js'
import { policyText } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { fieldKey, type KeyringValue } from './value.js'

/** A store keeps one note for each older key; the smallest store holds three. */
const countMax = 4
const countKey: PolicyKey = {
  name: 'count',
  default: String(countMax),
  help: 'how many keys there are at most, the one that encrypts included',
  check: (value) => (/^[2-4]$/.test(value) ? undefined : `must be a whole number from 2 to ${countMax}`),
}
const encodings = {
  hex: /^([0-9a-f]{2})+$/i,
  base64: /^[A-Za-z0-9+/]+={0,2}$/,
  base64url: /^[A-Za-z0-9_-]+$/,
} as const
type Encoding = keyof typeof encodings
const encodingNames = Object.keys(encodings) as Encoding[]
const isEncoding = (name: string): name is Encoding => Object.hasOwn(encodings, name)
const formKey: PolicyKey = {
  name: 'form',
  help: 'how a new key is written: hex, base64, base64url; as the present one is',
  check: (value) => (isEncoding(value) ? undefined : `must be one of ${encodingNames.join(', ')}`),
}
const sizes = [16, 24, 32, 48, 64]
const sizeKey: PolicyKey = {
  name: 'size',
  help: 'bytes of a new key, exactly; as many as the present one has',
  check: (value) => (sizes.map(String).includes(value) ? undefined : 'must be 16, 24, 32, 48 or 64'),
}
export const policyKeys: readonly PolicyKey[] = [fieldKey, countKey, formKey, sizeKey]

/** How many keys a value holds at most, the one that encrypts included. */
export const countOf = (policy: Policy): number => Number(policyText(policy, countKey))

/** How a new key is written. */
export interface KeyForm {
  readonly encoding: Encoding
  readonly size: number
}

/** How a new key looks. bad_policy where neither the policy nor the present key says it, or no cipher takes that size. */
export function likeOf(policy: Policy, { keys: [primary], field }: KeyringValue): KeyForm {
  const text = primary.key.reveal()
  const encoding = encodingOf(policy, text)
  if (encoding === undefined) {
    const why = `The key in ${field} is neither hex nor base64 of a usual size`
    throw policyError('form', why, 'form=base64 size=32')
  }
  const size = Number(policyText(policy, sizeKey) ?? bytesOf(text, encoding))
  if (!sizes.includes(size)) {
    const why = `The key in ${field} has ${size} bytes, which no cipher takes`
    throw policyError('size', why, 'size=32')
  }
  return { encoding, size }
}

const bytesOf = (text: string, encoding: Encoding): number => Buffer.from(text, encoding).length

function encodingOf(policy: Policy, text: string): Encoding | undefined {
  const named = policyText(policy, formKey) ?? ''
  if (isEncoding(named)) return named
  const looksLike = (name: Encoding): boolean => encodings[name].test(text) && sizes.includes(bytesOf(text, name))
  return encodingNames.find(looksLike)
}

const policyError = (key: string, why: string, example: string): RotationError =>
  new RotationError('bad_policy', `${why}.`, {
    field: `keyturn-${key}`,
    next: `Set the form of new keys: keyturn policy <ref> ${example}.`,
  })
