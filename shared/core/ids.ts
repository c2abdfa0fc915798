import { createHash } from 'node:crypto'
import type { RotationRequest, SecretRef, Token, VersionId } from './ports/words.js'

/**
 * The token of a rotation that nobody gave one: the same question about the same state has the same token, so that a retry finds the
 * rotation it continues. `rejects` counts values the target refused, for stores where a token holds one value for ever.
 */
export function deriveToken(kind: RotationRequest['kind'], ref: SecretRef, base: VersionId | null, rejects: number): Token {
  return hashId([kind, ref.store, ref.key, base, rejects]) as Token
}

/** One publication has one id, however often and by whomever it is announced. A value that was not ours has no token: its version and time stand for it. */
export const deriveChangeId = (ref: SecretRef, published: Token | { readonly version: VersionId; readonly publishedAt: number }): string =>
  hashId(['change', ref.store, ref.key, published])

/** The form of a UUID version 8 (RFC 9562, 5.8). */
function hashId(parts: readonly unknown[]): string {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return [hash.slice(0, 8), hash.slice(8, 12), `8${hash.slice(13, 16)}`, `a${hash.slice(17, 20)}`, hash.slice(20, 32)].join('-')
}

const tokenForm = /^[A-Za-z0-9-]{32,64}$/
export const isToken = (text: string): text is Token => tokenForm.test(text)

/** Random, with the time in front so that listings sort: for stores that name versions themselves. */
export function newVersionId(now: number, random: Uint8Array): VersionId {
  return `${now.toString(36).padStart(9, '0')}-${Buffer.from(random).toString('hex')}` as VersionId
}
