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

/** What the secret holds. Nothing at all before the first rotation of one that was never filled; `next` and `previous` come with rotations. */
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
const signing = v.object({ kid, alg: algorithm, notBefore: time, notAfter: v.optional(v.null()), private: jwk })
const formerKey = v.object({ kid, alg: algorithm, notBefore: time, notAfter: time, public: jwk })
const form = v.object({ current: v.nullish(signing), next: v.nullish(signing), previous: v.nullish(formerKey) })

/** bad_value with the path; a message never quotes what stands there. */
export function parseJwtValue(value: SecretText, policy: Policy): JwtValue {
  const shape = readShape(value)
  const field = fieldOf(policy)
  if (shape.kind !== 'json') throw valueError('value', 'is no JSON, and a key that is announced needs a place beside the one that signs')
  const place: unknown = field === undefined ? Object.fromEntries(shape.fields) : shape.fields.get(field)
  if (typeof place !== 'object' || place === null || Array.isArray(place)) throw valueError(field ?? 'value', `has no object in ${field}`)
  const at = (name: string): string => (field === undefined ? name : `${field}.${name}`)
  const parsed = v.safeParse(form, place)
  if (!parsed.success) {
    const path = v.getDotPath(parsed.issues[0]) ?? 'value'
    // Valibot's own message quotes what it received, which may be a key.
    const { message } = parsed.issues[0]
    throw valueError(at(path), `is wrong in ${at(path)}${message.startsWith('Invalid ') ? '' : `: it ${message}`}`)
  }
  const { current, next, previous } = parsed.output
  if (!current && field === undefined && shape.fields.get('signing_key')) return { field, current: adopted(shape.fields, policy) }
  if (!current && (next || previous || !isBlank(place))) throw valueError(at('current'), `has neither ${at('current')} nor signing_key`)
  const keys = {
    ...(current ? { current: signingKey(current, at('current')) } : {}),
    ...(next ? { next: signingKey(next, at('next')) } : {}),
    ...(previous ? { previous: formerOf(previous, at('previous')) } : {}),
  }
  const kids = [keys.current, keys.next, keys.previous].flatMap((key) => key?.kid ?? [])
  if (new Set(kids).size < kids.length) throw valueError(at('next'), 'gives one kid to two keys')
  return { field, ...keys }
}

/** Nothing but empty places: what a person puts so that the first rotation fills it. */
const isBlank = (place: object): boolean => Object.values(place).every((one) => one === null || one === '')

function signingKey({ kid, alg, notBefore, private: half }: v.InferOutput<typeof signing>, at: string): SigningKey {
  const key = readKey(at, () => createPrivateKey({ key: half, format: 'jwk' }))
  if (!fits(alg, half)) throw valueError(`${at}.alg`, `has a key in ${at} that ${alg} cannot use`)
  assertStrong(key, at)
  return { kid, algorithm: alg, notBefore: Date.parse(notBefore), ...secretsOf(key) }
}

function formerOf({ kid, alg, notBefore, notAfter, public: half }: v.InferOutput<typeof formerKey>, at: string): FormerKey {
  const key: PublicJwk | undefined = publicJwk({ ...half, kid, alg })
  if (key === undefined) throw valueError(`${at}.public`, `has no public key in ${at}`)
  return { kid, algorithm: alg, notBefore: Date.parse(notBefore), notAfter: Date.parse(notAfter), public: key }
}

/** One key as its consumers have it now: PEM, and how it is called where that is said. */
function adopted(fields: ReadonlyMap<string, unknown>, policy: Policy): SigningKey {
  const [pem, half, name] = ['signing_key', 'public_key', 'key_id'].map((field) => String(fields.get(field) ?? ''))
  const key = readKey('signing_key', () => createPrivateKey(pem ?? ''))
  assertStrong(key, 'signing_key')
  const exported = key.export({ format: 'jwk' })
  const fitting: Algorithm | undefined = algorithmFor(wishOf(policy).algorithm, exported)
  if (fitting === undefined) throw valueError('signing_key', 'has a signing_key of a kind that is not known here')
  if (half !== '') {
    const given = readKey('public_key', () => createPublicKey(half ?? ''))
    if (!given.equals(createPublicKey(key))) throw valueError('public_key', 'has a public_key that does not belong to its signing_key')
  }
  return { kid: name === '' ? undefined : name, algorithm: fitting, notBefore: 0, ...secretsOf(key) }
}

/** What a library says of a key that it cannot read may quote it: never the cause. */
function readKey(field: string, read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch {
    throw valueError(field, `has no key that can be read in ${field}`)
  }
}

function assertStrong(key: KeyObject, field: string): void {
  if (key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048)
    throw valueError(field, `has an RSA key of less than 2048 bits in ${field}`)
}

const valueError = (field: string, why: string): RotationError =>
  new RotationError('bad_value', `The value ${why}.`, {
    field,
    next: 'Put {} to have keys made, or one key as {"signing_key": "<PEM>"}; docs/jwt.md has the fields.',
  })

/**
 * Who may accept which tokens: previous, current and next, whatever the time. `until`: not before then the time of previous is over; `open`: it signs
 * until this value is published, whenever that is.
 */
export function publicSetOf({ current, next, previous }: JwtValue, until: number | 'open' = 0): PublicText | undefined {
  if (current?.kid === undefined) return undefined // never a set without the key that signs
  const halves = [current, next].flatMap((key) => (key ? (publicOf(key) ?? []) : []))
  return PublicText.ofKeys([
    ...halves,
    ...(previous ? [until === 'open' ? previous.public : { ...previous.public, exp: endOf(Math.max(previous.notAfter, until)) }] : []),
  ])
}

/** Times of a set are of whole quarters of an hour: when it is written again after the publication it is the same, byte for byte. */
const slotMs = 900_000
const endOf = (ms: number): number => Math.ceil(ms / slotMs) * (slotMs / 1000)

const shown = (at: number): string => new Date(at).toISOString()
const signingJson = ({ kid, algorithm: alg, notBefore, jwk: key }: SigningKey) => ({
  kid,
  alg,
  notBefore: shown(notBefore),
  // Open until another one takes its place: a rotation that is late must not end the key that works.
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

/** Every other byte stays. Of the flat fields only those that are there: `signing_key`, `public_key`, `key_id`, `jwks`. */
export function renderJwtValue(shape: SecretText, value: JwtValue): SecretText {
  const { field, current, next, previous } = value
  const { kind, ...read } = readShape(shape)
  const fields: ReadonlyMap<string, unknown> = kind === 'json' && 'fields' in read ? read.fields : new Map()
  const path = (name: string) => (field === undefined ? [name] : [field, name])
  const flat: Readonly<Record<string, string>> =
    current === undefined || field !== undefined
      ? {}
      : {
          signing_key: privatePem(current, String(fields.get('signing_key') ?? '')),
          public_key: publicPem(current, String(fields.get('public_key') ?? '')),
          key_id: current.kid ?? '',
          jwks: publicSetOf(value)?.toString() ?? '',
        }
  const wanted: readonly (readonly [string[], unknown])[] = [
    [path('current'), current ? signingJson(current) : null],
    [path('next'), next ? signingJson(next) : null],
    [path('previous'), previous ? formerJson(previous) : null],
    ...Object.keys(flat)
      .filter((name) => fields.has(name))
      .map((name): [string[], unknown] => [[name], flat[name]]),
  ]
  const written = wanted.reduce((text, [at, one]) => applyEdits(text, modify(text, at, one, {})), shape.reveal())
  return new SecretText(written)
}
