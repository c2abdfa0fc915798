import { counted } from '../../core/counted.js'
import { RotationError } from '../../core/errors.js'
import { policyText } from '../../core/policy/index.js'
import { mayChangeSpelling, spellingKey } from '../../core/policy/spelling.js'
import type { Env } from '../../core/ports/env.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { spellingOf, withoutHyphen, writeAs } from '../../core/spelling.js'
import { fieldKey, type KeyringValue } from './value.js'

/** A store keeps one note for each older key; the smallest store holds three. */
const countMax = 4
const countKey: PolicyKey = {
  name: 'count',
  default: String(countMax),
  help: 'how many keys there are at most, the one that encrypts included',
  check: (value) => (/^[2-4]$/.test(value) ? undefined : `must be a whole number from 2 to ${countMax}`),
}
/** How the bytes of a key are written, by the name that the policy uses. */
const encodings = {
  hex: { has: /^(?:(?:[0-9a-f]{2})+|(?:[0-9A-F]{2})+)$/, bytes: 'hex', padded: false },
  base64: { has: /^[A-Za-z0-9+/]+={0,2}$/, bytes: 'base64', padded: true },
  base64url: { has: /^[A-Za-z0-9_-]+$/, bytes: 'base64url', padded: false },
  fernet: { has: /^[A-Za-z0-9_-]+={0,2}$/, bytes: 'base64url', padded: true },
} as const
type Encoding = keyof typeof encodings
const encodingNames = Object.keys(encodings) as Encoding[]
const isEncoding = (name: string): name is Encoding => Object.hasOwn(encodings, name)
const formKey: PolicyKey = {
  name: 'form',
  help: 'how a new key is written: hex, base64, base64url, fernet; as the present one is',
  check: (value) => (isEncoding(value) ? undefined : `must be one of ${encodingNames.join(', ')}`),
}
const sizes = [16, 24, 32, 48, 64]
const sizeKey: PolicyKey = {
  name: 'size',
  help: 'bytes of a new key, exactly; as many as the present one has',
  check: (value) => (sizes.map(String).includes(value) ? undefined : 'must be 16, 24, 32, 48 or 64'),
}
export const policyKeys: readonly PolicyKey[] = [fieldKey, countKey, formKey, sizeKey, spellingKey]

/** How many keys a value holds at most, the one that encrypts included. */
export const countOf = (policy: Policy): number => Number(policyText(policy, countKey))

type Random = Env['random']
/** What comes before a key and names its encoding itself. */
const frontForm = /^(?:base64|hex):/

/**
 * How the key after the present one is made: written as that one, or as the policy names it. bad_policy where the two differ, where neither the
 * policy nor the present key says it, or where no cipher takes that size. It quotes no key.
 */
export function makerFor(policy: Policy, { keys: [primary], field }: KeyringValue): (random: Random) => string {
  const present = primary.key.reveal()
  const body = present.replace(frontForm, '')
  const named = policyText(policy, formKey) ?? ''
  const there = isEncoding(named) && isIn(named, body) ? named : encodingOf(body)
  const encoding = isEncoding(named) ? named : there
  if (encoding === undefined) {
    const why = `The key in ${field} is neither hex nor base64 of a usual size`
    throw policyError('form', why, 'keyturn-form=base64 keyturn-size=32 keyturn-spelling=change')
  }
  const size = Number(policyText(policy, sizeKey) ?? bytesOf(body, there ?? encoding))
  if (!sizes.includes(size)) {
    const why = `The key in ${field} has ${counted(size, 'byte')}, which no cipher takes`
    throw policyError('size', why, 'keyturn-size=32 keyturn-spelling=change')
  }
  const wanted = { encoding, size }
  if (mayChangeSpelling(policy) && (named !== '' || policyText(policy, sizeKey) !== undefined)) return (random) => written(wanted, random)
  assertSame(field, wanted, body)
  const spelling = spellingOf(present)
  if (typeof spelling === 'string')
    throw policyError(
      'form',
      `The key in ${field} does not show how a new one is written`,
      'keyturn-form=base64 keyturn-size=32 keyturn-spelling=change',
    )
  return (random) => writeAs(spelling, random)
}

/** A key of random bytes. It does not begin with a hyphen. */
function written({ encoding, size }: { readonly encoding: Encoding; readonly size: number }, random: Random): string {
  const { bytes, padded } = encodings[encoding]
  const text = withoutHyphen(() => Buffer.from(random(size)).toString(bytes))
  return padded ? text.padEnd(Math.ceil(text.length / 4) * 4, '=') : text
}

const bytesOf = (body: string, encoding: Encoding): number => Buffer.from(body, encodings[encoding].bytes).length

/** Whether a key is of an encoding. 64 hexadecimal digits might be base64, too, but chance does not explain them. */
const isIn = (encoding: Encoding, body: string): boolean =>
  encodings[encoding].has.test(body) && (encoding === 'hex' || !encodings.hex.has.test(body))

/** The first encoding of which the key has a usual size; base64 without padding is read as base64, too. */
function encodingOf(body: string): Encoding | undefined {
  return encodingNames.find((name) => encodings[name].has.test(body) && sizes.includes(bytesOf(body, name)))
}

/** bad_policy where a key of the wanted encoding and size is written in another way than the present one. */
function assertSame(field: string, { encoding, size }: { readonly encoding: Encoding; readonly size: number }, body: string): void {
  const isOf = isIn(encoding, body)
  const present = isOf ? encoding : encodingOf(body)
  const bytes = present === undefined ? 0 : bytesOf(body, present)
  const found = [
    isOf ? undefined : 'alphabet or padding',
    bytes === size ? undefined : `length (${counted(bytes, 'byte')}, not ${size})`,
  ].filter((one) => one !== undefined)
  if (found.length === 0) return
  const why = `A new key in ${field} would differ from the present one in ${found.join(', ')}: its consumers may refuse it`
  const keeps = present === undefined ? '' : `keyturn-form=${present} keyturn-size=${bytes} keeps it. `
  throw new RotationError('bad_policy', `${why}.`, {
    field: isOf ? 'keyturn-size' : 'keyturn-form',
    next: `${keeps}Without both a new key is written as the present one. keyturn-spelling=change says that consumers take another spelling.`,
  })
}

const policyError = (key: string, why: string, example: string): RotationError =>
  new RotationError('bad_policy', `${why}.`, {
    field: `keyturn-${key}`,
    next: `Set the form of new keys: keyturn policy <ref> ${example}.`,
  })
