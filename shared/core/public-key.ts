import { parsedJson } from './json.js'
import { SecretText } from './secret-text.js'

/** The public half of a signing key: RFC 7517 members that verifiers need, and no place for any other. `exp`: until when tokens of it may be accepted, in seconds. */
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

/** By key type, what is public (RFC 7518, 6.2 and 6.3; RFC 8037, 2). Whatever else a key holds never gets through. */
const publicMembers = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'] } as const
const isType = (kty: unknown): kty is keyof typeof publicMembers => typeof kty === 'string' && Object.hasOwn(publicMembers, kty)

/** Member by member, from whatever it is given: of a private key only the public half is left. undefined for what is no key of these kinds. */
export function publicJwk(key: Readonly<Record<string, unknown>>): PublicJwk | undefined {
  const { kty, kid, alg, exp } = key
  if (!isType(kty) || typeof kid !== 'string' || typeof alg !== 'string') return undefined
  const members = publicMembers[kty].map((name) => [name, key[name]] as const)
  if (!members.every(([, value]) => typeof value === 'string')) return undefined
  return { kty, kid, alg, use: 'sig', ...Object.fromEntries(members), ...(typeof exp === 'number' ? { exp } : {}) }
}

/** Text that may stand where everybody reads. There is no other way to make one than from public halves, so that nothing else can get there. */
export class PublicText {
  readonly #text: string
  private constructor(text: string) {
    this.#text = text
  }
  /** A JWK Set (RFC 7517, 5). Whatever a caller slipped past the types is left out once more. */
  static ofKeys(keys: readonly PublicJwk[]): PublicText {
    return new PublicText(JSON.stringify({ keys: keys.flatMap((key) => publicJwk({ ...key }) ?? []) }))
  }
  /** The text of a set without the keys whose time is over, and without the times. undefined for what is no set. */
  static servedFrom(text: string, now: number): PublicText | undefined {
    const set: unknown = parsedJson(text)
    if (typeof set !== 'object' || set === null || !('keys' in set) || !Array.isArray(set.keys)) return undefined
    const keys = set.keys.flatMap((key: Readonly<Record<string, unknown>>) => publicJwk(key ?? {}) ?? [])
    const served = keys.filter(({ exp }) => exp === undefined || exp * 1000 > now)
    return PublicText.ofKeys(served.map(({ exp: _, ...key }) => key))
  }
  /** For a store, which keeps values. */
  asValue(): SecretText {
    return new SecretText(this.#text)
  }
  toString(): string {
    return this.#text
  }
}
