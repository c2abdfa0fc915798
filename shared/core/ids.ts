import { createHash } from 'node:crypto'
import type { RotationRequest, SecretRef, Token, VersionId } from './ports/words.js'

/**
 * Derives the token of a rotation that was given none. The same request about the same state has the same token, so that a retry finds the
 * rotation it continues. `refusals` counts the values that the target refused, for stores where a token holds one value for ever.
 * `again` tells apart when base became current, where somebody went back to it: it has had its rotation.
 */
export function deriveToken(
  kind: RotationRequest['kind'],
  ref: SecretRef,
  base: VersionId | null,
  refusals: number,
  again?: number,
): Token {
  return hashId([kind, ref.store, ref.key, base, refusals, ...(again === undefined ? [] : [again])], kind) as Token
}

/** Makes a random token of the same form, for a rotation that nobody else may find again. */
export const newToken = (kind: RotationRequest['kind'], random: Uint8Array): Token =>
  hashId([Buffer.from(random).toString('hex')], kind) as Token

/** A UUID version 8 leaves two bits free beside its variant. They hold the kind of rotation, for stores that keep nothing but the token. */
const kindDigits: Readonly<Record<RotationRequest['kind'], string>> = { rotate: 'a', resume: 'a', put: '9', rollback: 'b', emergency: '8' }

/** undefined for a token that was not made here. */
export function kindOfToken(token: string): RotationRequest['kind'] | undefined {
  const digit = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-([89ab])[0-9a-f]{3}-[0-9a-f]{12}$/.exec(token)?.[1]
  return (['rotate', 'put', 'rollback', 'emergency'] as const).find((kind) => kindDigits[kind] === digit)
}

/** One publication has one id, however often and by whomever it is announced. A foreign value has no token: its version and time identify it. */
export const deriveChangeId = (ref: SecretRef, published: Token | { readonly version: VersionId; readonly publishedAt: number }): string =>
  hashId(['change', ref.store, ref.key, published])

/** One piece of work has one id, whoever finds it. `cause`: the event, the request, the time to look again, or the interval of the look that found it. */
export const deriveWorkId = (ref: SecretRef, action: string, cause: string): string => hashId(['work', ref.store, ref.key, action, cause])

/** The form of a UUID version 8 (RFC 9562, 5.8). */
function hashId(parts: readonly unknown[], kind: RotationRequest['kind'] = 'rotate'): string {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `8${hash.slice(13, 16)}`,
    `${kindDigits[kind]}${hash.slice(17, 20)}`,
    hash.slice(20, 32),
  ].join('-')
}

/** A number from 0 to below 1, always the same for one text. It spreads many secrets over a period. */
export const fractionOf = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32

const tokenForm = /^[A-Za-z0-9-]{32,64}$/
/** Whether a text has the form of a token: 32 to 64 of A-Z a-z 0-9 and -. */
export const isToken = (text: string): text is Token => tokenForm.test(text)

/** Makes a random id that begins with the time, so that listings sort. For stores that name versions themselves. */
export function newVersionId(now: number, random: Uint8Array): VersionId {
  return `${now.toString(36).padStart(9, '0')}-${Buffer.from(random).toString('hex')}` as VersionId
}
