import { RotationError } from '../../core/errors.js'
import { policyText } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { fieldKey, type KeyringValue } from './value.js'

/** Of the older ones a store keeps a note each; three is what the smallest holds. */
const countMax = 4
const countKey: PolicyKey = {
  name: 'count',
  default: String(countMax),
  help: 'how many keys there are at most, the one that encrypts included',
  check: (value) => (/^[2-4]$/.test(value) ? undefined : `must be a whole number from 2 to ${countMax}`),
}
const encodings = { hex: /^([0-9a-f]{2})+$/i, base64: /^[A-Za-z0-9+/]+={0,2}$/, base64url: /^[A-Za-z0-9_-]+$/ } as const
type Encoding = keyof typeof encodings
const isEncoding = (name: string): name is Encoding => Object.hasOwn(encodings, name)
const formKey: PolicyKey = {
  name: 'form',
  help: 'how a new key is written: hex, base64, base64url; as the present one is',
  check: (value) => (isEncoding(value) ? undefined : `must be one of ${Object.keys(encodings).join(', ')}`),
}
const sizeKey: PolicyKey = {
  name: 'size',
  help: 'bytes of a new key, exactly; as many as the present one has',
  check: (value) => (['16', '24', '32', '48', '64'].includes(value) ? undefined : 'must be 16, 24, 32, 48 or 64'),
}
export const policyKeys: readonly PolicyKey[] = [fieldKey, countKey, formKey, sizeKey]

/** How many keys a value holds at most, the one that encrypts included. */
export const countOf = (policy: Policy): number => Number(policyText(policy, countKey))

/** How a new key looks. bad_policy where the present one does not say it, or is shorter than any cipher takes. */
export function likeOf(policy: Policy, { keys: [primary], field }: KeyringValue): { readonly encoding: Encoding; readonly size: number } {
  const text = primary.key.reveal()
  const named = policyText(policy, formKey) ?? ''
  const found = (Object.keys(encodings) as Encoding[]).find(
    (name) => encodings[name].test(text) && sizes.includes(Buffer.from(text, name).length),
  )
  const encoding = isEncoding(named) ? named : found
  if (encoding === undefined)
    throw policyError('form', `The key in ${field} is neither hex nor base64 of a usual size`, 'form=base64 size=32')
  const size = Number(policyText(policy, sizeKey) ?? Buffer.from(text, encoding).length)
  if (!sizes.includes(size)) throw policyError('size', `The key in ${field} has ${size} bytes, which no cipher takes`, 'size=32')
  return { encoding, size }
}
const sizes = [16, 24, 32, 48, 64]

const policyError = (key: string, why: string, example: string): RotationError =>
  new RotationError('bad_policy', `${why}.`, { field: `keyturn-${key}`, next: `Say how a new one looks: keyturn policy <ref> ${example}.` })
