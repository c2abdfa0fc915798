/** One row an algorithm (RFC 7518, 3.1; RFC 8037, 3.1): of what keys it is. */
export const algorithms = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
} as const satisfies Record<string, { readonly kty: 'RSA' | 'EC' | 'OKP'; readonly crv?: string }>
/** What a new key may sign with. */
export type Algorithm = keyof typeof algorithms
export const algorithmNames = Object.keys(algorithms) as Algorithm[]
/** Whether an unknown input is exactly a name in the table. */
export const isAlgorithm = (name: unknown): name is Algorithm => typeof name === 'string' && Object.hasOwn(algorithms, name)

interface KeyKind {
  readonly kty?: unknown
  readonly crv?: unknown
}
/** Whether a key of that kind can be used for it. */
export function fits(algorithm: Algorithm, { kty, crv }: KeyKind): boolean {
  const row: KeyKind = algorithms[algorithm]
  return row.kty === kty && (row.crv === undefined || row.crv === crv)
}

/** The wanted one where the key can be used for it, else the usual one for such a key. undefined: for no algorithm here. */
export const algorithmFor = (wanted: Algorithm, key: KeyKind): Algorithm | undefined =>
  fits(wanted, key) ? wanted : algorithmNames.find((name) => fits(name, key))
