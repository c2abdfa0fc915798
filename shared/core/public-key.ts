import { parsedJson } from './json.js'
import { SecretText } from './secret-text.js'

/** The public half of a signing key: the RFC 7517 members that verifiers need. `exp`: until when its tokens may be accepted, in seconds. */
export interface PublicJwk {
  readonly kty: 'RSA' | 'EC' | 'OKP'
  readonly kid: string
  readonly alg: string
  readonly use: 'sig'
  readonly n?: string
  readonly e?: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly exp?: number
}

/** The public members of each key type (RFC 7518, 6.2 and 6.3; RFC 8037, 2). No other member ever gets through. */
const publicMembers = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'] } as const
const isType = (kty: unknown): kty is keyof typeof publicMembers => typeof kty === 'string' && Object.hasOwn(publicMembers, kty)

/** Copies the public members one by one, so that only the public half of a private key is left. undefined for anything but a key of these types. */
export function publicJwk(key: Readonly<Record<string, unknown>>): PublicJwk | undefined {
  const { kty, kid, alg, exp } = key
  if (!isType(kty) || typeof kid !== 'string' || typeof alg !== 'string') return undefined
  const members = publicMembers[kty].map((name) => [name, key[name]] as const)
  if (!members.every(([, value]) => typeof value === 'string')) return undefined
  return { kty, kid, alg, use: 'sig', ...Object.fromEntries(members), ...(typeof exp === 'number' ? { exp } : {}) }
}

/** Text that everybody may read. It can be made only from the public halves of keys, so that nothing else can get there. */
export class PublicText {
  readonly #text: string
  private constructor(text: string) {
    this.#text = text
  }
  /** A JWK Set (RFC 7517, 5). A member that a caller slipped past the types is removed here. */
  static ofKeys(keys: readonly PublicJwk[]): PublicText {
    return new PublicText(JSON.stringify({ keys: keys.flatMap((key) => publicJwk({ ...key }) ?? []) }))
  }
  /** The text of a set without expired keys and without `exp`. undefined for a text that is not a set. */
  static servedFrom(text: string, now: number): PublicText | undefined {
    const set: unknown = parsedJson(text)
    if (typeof set !== 'object' || set === null || !('keys' in set) || !Array.isArray(set.keys)) return undefined
    const keys = set.keys.flatMap((key: Readonly<Record<string, unknown>>) => publicJwk(key ?? {}) ?? [])
    const served = keys.filter(({ exp }) => exp === undefined || exp * 1000 > now)
    return PublicText.ofKeys(served.map(({ exp: _, ...key }) => key))
  }
  /** The text as a value, for a store. */
  asValue(): SecretText {
    return new SecretText(this.#text)
  }
  toString(): string {
    return this.#text
  }
}
