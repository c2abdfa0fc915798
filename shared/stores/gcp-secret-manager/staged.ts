import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { RotationError } from '../../core/errors.js'
import { id, kind, token } from '../../core/journal-form.js'
import { parsedJson } from '../../core/json.js'
import type { Claim } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'

/** The service takes payloads of 64 KiB. A staged one has a header line beside its value. */
export const valueBytesMax = 65_024
const headerBytesMax = 512

const form = v.object({ token, base: v.nullable(id), kind: v.exactOptional(kind) })
/** What is kept with a staged value. */
export type Header = v.InferOutput<typeof form>

/** A digest of a value, which tells copies of one write from others. It stays in the process. */
export const markOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** The bytes of a value. too_large, and bad_value for a text that has no UTF-8. */
export function bytesOf(value: SecretText): Uint8Array {
  const text = value.reveal()
  if (!text.isWellFormed()) {
    throw new RotationError('bad_value', 'The value is not well-formed Unicode text.', { field: 'value', next: 'Put it again as UTF-8.' })
  }
  if (value.bytes > valueBytesMax) {
    throw new RotationError('too_large', `The value has ${value.bytes} bytes; this store takes ${valueBytesMax}.`, {
      field: 'value',
      next: 'Shorten it.',
    })
  }
  if (text === '') throw new RotationError('bad_value', 'The value is empty.', { field: 'value', next: 'Put a value with a credential.' })
  return Buffer.from(text)
}

/** The text of a payload. bad_value for a binary one, which no rotator can change. */
export function textOf(bytes: Uint8Array, what: string): SecretText {
  try {
    return new SecretText(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new RotationError('bad_value', `${what} is binary.`, { field: 'value', next: 'Put a text: JSON, a URL or a bare password.' })
  }
}

/** The payload of a staged value: one line that says whose it is, and the raw bytes. */
export function stagedPayload({ token, base, kind }: Pick<Claim, 'token' | 'base' | 'kind'>, value: SecretText): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify({ token, base, kind })}\n`), bytesOf(value)])
}

/** Reads the payload of a staged value. damaged for one that is not ours: it may be the only copy of something, so that nobody overlooks it. */
export function readStaged(payload: Uint8Array, what: string): { readonly header: Header; readonly bytes: Uint8Array } {
  const end = payload.subarray(0, headerBytesMax).indexOf(0x0a)
  const result = v.safeParse(form, end < 0 ? undefined : parsedJson(Buffer.from(payload.subarray(0, end)).toString()))
  if (result.success) return { header: result.output, bytes: payload.subarray(end + 1) }
  throw new RotationError('damaged', `${what} is not a staged value: somebody else wrote it.`, {
    next: 'Disable this version if nobody needs it; Keyturn leaves it as it is.',
  })
}

/** The id of a published version is its number; that of a staged one says that it is staged. */
export const idOf = (number: number): VersionId => String(number) as VersionId
const stagedPrefix = 'pending-'
export const stagedId = (number: number): VersionId => `${stagedPrefix}${number}` as VersionId
/** undefined for an id that is not of a published version. */
export const numberOf = (version: VersionId): number | undefined => (/^[1-9]\d*$/.test(version) ? Number(version) : undefined)
/** undefined for an id that is not of a staged version. */
export const stagedNumber = (version: VersionId): number | undefined =>
  version.startsWith(stagedPrefix) ? numberOf(version.slice(stagedPrefix.length) as VersionId) : undefined
