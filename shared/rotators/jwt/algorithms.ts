/** One row for each algorithm (RFC 7518, 3.1; RFC 8037, 3.1): which keys it takes. */
export const algorithms = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
} as const satisfies Record<string, KeyRow>
/** What a new key may sign with. */
export type Algorithm = keyof typeof algorithms
export const algorithmNames = Object.keys(algorithms) as Algorithm[]
/** Whether an unknown input is exactly a name in the table. */
export const isAlgorithm = (name: unknown): name is Algorithm => typeof name === 'string' && Object.hasOwn(algorithms, name)

interface KeyRow {
  readonly kty: 'RSA' | 'EC' | 'OKP'
  readonly crv?: string
}
interface KeyKind {
  readonly kty?: unknown
  readonly crv?: unknown
}
/** Whether a key of that kind can be used for the algorithm. */
export function fits(algorithm: Algorithm, { kty, crv }: KeyKind): boolean {
  const row: KeyKind = algorithms[algorithm]
  const sameCurve = row.crv === undefined || row.crv === crv
  return row.kty === kty && sameCurve
}

/** The wanted algorithm where the key can be used for it, else the usual one for such a key. undefined: the key fits no algorithm here. */
export function algorithmFor(wanted: Algorithm, key: KeyKind): Algorithm | undefined {
  if (fits(wanted, key)) return wanted
  return algorithmNames.find((name) => fits(name, key))
}
