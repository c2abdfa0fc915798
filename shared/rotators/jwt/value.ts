import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { applyEdits, modify } from 'jsonc-parser'
import * as v from 'valibot'
import { RotationError } from '../../core/errors.js'
import type { Policy } from '../../core/ports/words.js'
import { type PublicJwk, PublicText, publicJwk } from '../../core/public-key.js'
import { SecretText } from '../../core/secret-text.js'
import { readShape } from '../../core/shapes/index.js'
import { type Algorithm, algorithmFor, algorithmNames, fits } from './algorithms.js'
import { type FormerKey, privatePem, publicOf, publicPem, type SigningKey, secretsOf } from './keys.js'
import { fieldOf, wishOf } from './policy.js'

/** What the secret holds: no key at all before the first rotation of a secret that was put empty. `next` and `previous` come with rotations. */
export interface JwtValue {
  readonly field: string | undefined
  readonly current?: SigningKey
  readonly next?: SigningKey
  readonly previous?: FormerKey
}

const time = v.pipe(v.string(), v.isoTimestamp('must be a time such as 2026-12-20T00:00:00.000Z'))
const kid = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 visible characters'))
const algorithm = v.picklist(algorithmNames, `must be one of ${algorithmNames.join(', ')}`)
const jwk = v.record(v.string(), v.unknown())
const signing = v.object({
  kid,
  alg: algorithm,
  notBefore: time,
  notAfter: v.optional(v.null()),
  private: jwk,
})
const formerKey = v.object({
  kid,
  alg: algorithm,
  notBefore: time,
  notAfter: time,
  public: jwk,
})
const form = v.object({
  current: v.nullish(signing),
  next: v.nullish(signing),
  previous: v.nullish(formerKey),
})
type Fields = ReadonlyMap<string, unknown>
type Keys = Omit<JwtValue, 'field'>

/** bad_value with the path. A message never quotes the value. */
export function parseJwtValue(value: SecretText, policy: Policy): JwtValue {
  const shape = readShape(value)
  const field = fieldOf(policy)
  if (shape.kind !== 'json')
    throw valueError('value', 'is not JSON, and a key that is published ahead needs a place beside the one that signs')
  const at = (name: string): string => (field === undefined ? name : `${field}.${name}`)
  const place = placeIn(shape.fields, field)
  const parsed = parsePlace(place, at)
  const { current, next, previous } = parsed
  if (!current && field === undefined && shape.fields.get('signing_key')) return { field, current: plainKey(shape.fields, policy) }
  const isEmpty = !next && !previous && isBlank(place)
  if (!current && !isEmpty) throw valueError(at('current'), `has neither ${at('current')} nor signing_key`)
  const keys = keysOf(parsed, at)
  const kids = [keys.current, keys.next, keys.previous].flatMap((key) => key?.kid ?? [])
  if (new Set(kids).size < kids.length) throw valueError(at('next'), 'gives one kid to two keys')
  return { field, ...keys }
}

/** The object that holds the keys: the value itself, or the field that the policy names. */
function placeIn(fields: Fields, field: string | undefined): object {
  if (field === undefined) return Object.fromEntries(fields)
  const place = fields.get(field)
  const isObject = typeof place === 'object' && place !== null && !Array.isArray(place)
  if (!isObject) throw valueError(field, `has no object in ${field}`)
  return place
}

function parsePlace(place: object, at: (name: string) => string): v.InferOutput<typeof form> {
  const parsed = v.safeParse(form, place)
  if (parsed.success) return parsed.output
  const [issue] = parsed.issues
  const path = at(v.getDotPath(issue) ?? 'value')
  // Valibot's own message quotes what it received, which may be a key.
  const isQuote = issue.message.startsWith('Invalid ')
  const why = isQuote ? '' : `: it ${issue.message}`
  throw valueError(path, `is wrong in ${path}${why}`)
}

function keysOf({ current, next, previous }: v.InferOutput<typeof form>, at: (name: string) => string): Keys {
  return {
    ...(current ? { current: signingKey(current, at('current')) } : {}),
    ...(next ? { next: signingKey(next, at('next')) } : {}),
    ...(previous ? { previous: formerOf(previous, at('previous')) } : {}),
  }
}

/** Whether a place has only empty fields. A person puts such a value so that the first rotation fills it. */
const isBlank = (place: object): boolean => Object.values(place).every((one) => one === null || one === '')

function signingKey({ kid, alg, notBefore, private: half }: v.InferOutput<typeof signing>, at: string): SigningKey {
  const key = readKey(at, () => createPrivateKey({ key: half, format: 'jwk' }))
  if (!fits(alg, half)) throw valueError(`${at}.alg`, `has a key in ${at} that ${alg} cannot use`)
  assertStrong(key, at)
  return { kid, algorithm: alg, notBefore: Date.parse(notBefore), ...secretsOf(key) }
}

function formerOf(read: v.InferOutput<typeof formerKey>, at: string): FormerKey {
  const { kid, alg, public: half } = read
  const key: PublicJwk | undefined = publicJwk({ ...half, kid, alg })
  if (key === undefined) throw valueError(`${at}.public`, `has no public key in ${at}`)
  return {
    kid,
    algorithm: alg,
    notBefore: Date.parse(read.notBefore),
    notAfter: Date.parse(read.notAfter),
    public: key,
  }
}

/** One key in the form that its consumers have now: PEM, and a name where the value gives one. */
function plainKey(fields: Fields, policy: Policy): SigningKey {
  const textOf = (field: string): string => String(fields.get(field) ?? '')
  const key = readKey('signing_key', () => createPrivateKey(textOf('signing_key')))
  assertStrong(key, 'signing_key')
  const exported = key.export({ format: 'jwk' })
  const fitting: Algorithm | undefined = algorithmFor(wishOf(policy).algorithm, exported)
  if (fitting === undefined) throw valueError('signing_key', 'has a signing_key of an unknown kind')
  assertPair(textOf('public_key'), key)
  const name = textOf('key_id')
  return { kid: name === '' ? undefined : name, algorithm: fitting, notBefore: 0, ...secretsOf(key) }
}

function assertPair(half: string, key: KeyObject): void {
  if (half === '') return
  const given = readKey('public_key', () => createPublicKey(half))
  if (given.equals(createPublicKey(key))) return
  throw valueError('public_key', 'has a public_key that does not belong to its signing_key')
}

/** Drops the cause: a library's message about a key that it cannot read may quote the key. */
function readKey(field: string, read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch {
    throw valueError(field, `has no readable key in ${field}`)
  }
}

function assertStrong(key: KeyObject, field: string): void {
  if (key.asymmetricKeyType !== 'rsa') return
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < 2048) throw valueError(field, `has an RSA key of less than 2048 bits in ${field}`)
}

const valueError = (field: string, why: string): RotationError =>
  new RotationError('bad_value', `The value ${why}.`, {
    field,
    next: 'Put {} to have keys made, or one key as {"signing_key": "<PEM>"}; docs/jwt.md has the fields.',
  })

/**
 * The keys by which verifiers check tokens: current, next and previous, whatever the time. `until`: the time before which previous does not end.
 * `open`: previous still signs until this value is published, so its end is not known yet.
 */
export function publicSetOf({ current, next, previous }: JwtValue, until: number | 'open' = 0): PublicText | undefined {
  if (current?.kid === undefined) return undefined // never a set without the key that signs
  const signers = next === undefined ? [current] : [current, next]
  const halves = signers.flatMap((key) => publicOf(key) ?? [])
  if (previous === undefined) return PublicText.ofKeys(halves)
  if (until === 'open') return PublicText.ofKeys([...halves, previous.public])
  const exp = endOf(Math.max(previous.notAfter, until))
  return PublicText.ofKeys([...halves, { ...previous.public, exp }])
}

/** Times in a set are whole quarters of an hour, so that a set written again after the publication is the same, byte for byte. */
const slotMs = 900_000
const endOf = (ms: number): number => Math.ceil(ms / slotMs) * (slotMs / 1000)

const shown = (at: number): string => new Date(at).toISOString()
const signingJson = ({ kid, algorithm: alg, notBefore, jwk: key }: SigningKey) => ({
  kid,
  alg,
  notBefore: shown(notBefore),
  // No end until another key takes its place: a late rotation must not end the key that works.
  notAfter: null,
  private: JSON.parse(key.reveal()),
})
const formerJson = ({ kid, algorithm: alg, notBefore, notAfter, public: half }: FormerKey) => ({
  kid,
  alg,
  notBefore: shown(notBefore),
  notAfter: shown(notAfter),
  public: half,
})

/** Writes the keys into a value. Of the flat fields it writes those that are there: `signing_key`, `public_key`, `key_id`, `jwks`. Every other byte stays. */
export function renderJwtValue(shape: SecretText, value: JwtValue): SecretText {
  const { field, current, next, previous } = value
  const read = readShape(shape)
  const fields: Fields = read.kind === 'json' ? read.fields : new Map()
  const path = (name: string) => (field === undefined ? [name] : [field, name])
  const flat = Object.entries(flatFields(value, fields)).filter(([name]) => fields.has(name))
  const wanted: readonly (readonly [string[], unknown])[] = [
    [path('current'), current ? signingJson(current) : null],
    [path('next'), next ? signingJson(next) : null],
    [path('previous'), previous ? formerJson(previous) : null],
    ...flat.map(([name, one]): [string[], unknown] => [[name], one]),
  ]
  let text = shape.reveal()
  for (const [at, one] of wanted) text = applyEdits(text, modify(text, at, one, {}))
  return new SecretText(text)
}

/** The current key in the form of a value that was adopted. Only a value that is the keys' object itself has such fields. */
function flatFields(value: JwtValue, fields: Fields): Readonly<Record<string, string>> {
  const { field, current } = value
  if (current === undefined || field !== undefined) return {}
  return {
    signing_key: privatePem(current, String(fields.get('signing_key') ?? '')),
    public_key: publicPem(current, String(fields.get('public_key') ?? '')),
    key_id: current.kid ?? '',
    jwks: publicSetOf(value)?.toString() ?? '',
  }
}
