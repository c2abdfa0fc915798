import { createLocalJWKSet, errors, importJWK, type JSONWebKeySet, type JWK, jwtVerify, SignJWT } from 'jose'

export interface Token {
  readonly text: string
  readonly expiresAt: number
}

/** A text as it was a while ago: what reaches its readers late. */
export class Late {
  readonly #read: () => Promise<string>
  readonly #seen: { readonly at: number; readonly text: string }[] = []
  constructor(read: () => Promise<string>) {
    this.#read = read
  }
  async look(at: number): Promise<void> {
    const text = await this.#read()
    if (this.#seen.at(-1)?.text !== text) this.#seen.push({ at, text })
  }
  get newest(): string {
    return this.#seen.at(-1)?.text ?? '{}'
  }
  /** The first one where none is that old. */
  asOf = (at: number): string => ([...this.#seen].reverse().find((one) => one.at <= at) ?? this.#seen[0])?.text ?? '{}'
}

/** Signs with `current` of the secret as it has it. */
export class Issuer {
  readonly #secret: Late
  readonly #lateMs: number
  constructor(secret: Late, lateMs: number) {
    this.#secret = secret
    this.#lateMs = lateMs
  }
  async issue(now: number, ttlMs: number): Promise<Token> {
    const { current } = JSON.parse(this.#secret.asOf(now - this.#lateMs)) as { current: { kid: string; alg: string; private: JWK } }
    const expiresAt = now + ttlMs
    const text = await new SignJWT({ sub: 'somebody' })
      .setProtectedHeader({ alg: current.alg, kid: current.kid })
      .setIssuedAt(Math.floor(now / 1000))
      .setExpirationTime(Math.floor(expiresAt / 1000) + 120) // its own clock is not what is tried here
      .sign(await importJWK(current.private, current.alg))
    return { text, expiresAt }
  }
}

/**
 * ticker: reads the set once in `everyMs`, whatever it meets. max-age: keeps it for that time and reads it when it is asked after that. refetch: as
 * max-age, and once more when it meets a kid that it does not know, at most once in `everyMs`.
 */
export class Verifier {
  readonly kind: 'ticker' | 'max-age' | 'refetch'
  readonly #everyMs: number
  readonly #set: Late
  readonly #lateMs: number
  readonly #skewMs: number
  #text: string | undefined
  #readAt = 0
  constructor(kind: Verifier['kind'], everyMs: number, set: Late, lateMs: number, skewMs: number) {
    this.kind = kind
    this.#everyMs = everyMs
    this.#set = set
    this.#lateMs = lateMs
    this.#skewMs = skewMs
  }
  #reads(now: number): void {
    this.#text = this.#set.asOf(now - this.#lateMs)
    this.#readAt = now
  }
  async accepts(token: string, at: number): Promise<boolean> {
    const now = at + this.#skewMs
    const keptMs = this.kind === 'refetch' ? 300_000 : this.#everyMs
    if (this.#text === undefined || now - this.#readAt >= keptMs) this.#reads(now)
    const [first, known] = await this.#verify(token, now)
    if (known || this.kind !== 'refetch' || now - this.#readAt < this.#everyMs) return first
    this.#reads(now)
    return (await this.#verify(token, now))[0]
  }
  /** Whether it is accepted, and whether its key is known at all. */
  async #verify(token: string, now: number): Promise<readonly [accepted: boolean, known: boolean]> {
    const keys = createLocalJWKSet(JSON.parse(this.#text ?? '{}') as JSONWebKeySet)
    try {
      await jwtVerify(token, keys, { currentDate: new Date(now), clockTolerance: 60 })
      return [true, true]
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey) return [false, false]
      if (cause instanceof errors.JOSEError) return [false, true]
      throw cause
    }
  }
}

/** Anywhere in a JSON text, by the names that private and symmetric keys have (RFC 7518, 6). */
export function hasPrivateMember(text: string): boolean {
  const names = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'private'])
  let found = false
  JSON.parse(text, (key, value: unknown) => {
    if (names.has(key)) found = true
    return value
  })
  return found || text.includes('PRIVATE KEY')
}
