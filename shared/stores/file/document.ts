import { createHmac, timingSafeEqual } from 'node:crypto'
import * as v from 'valibot'
import { RotationError } from '../../core/errors.js'
import { id, journal, kind, time, token } from '../../core/journal-form.js'
import type { Journal } from '../../core/ports/store.js'
import type { StoreKeys } from './keys.js'

const version = v.object({
  id,
  createdAt: time,
  ours: v.optional(token),
  staged: v.optional(v.object({ token, base: v.nullable(id), kind })),
  sealed: v.object({ key: v.string(), value: v.string() }),
})
const owner = v.object({ host: v.string(), space: v.string(), pid: time, startedAt: v.string() })

const form = v.object({
  keyturn: v.literal(1),
  ref: v.string(),
  keyId: v.string(),
  rev: time,
  current: v.nullable(id),
  previous: v.nullable(id),
  publishedAt: time,
  policy: v.record(v.string(), v.string()),
  journal: v.nullable(journal),
  /** The process that holds the claim, so that its death ends the lease. */
  owner: v.optional(owner),
  versions: v.array(version),
})

/** One version of a secret in its file. Its value is sealed. */
export type FileVersion = v.InferOutput<typeof version>
/** One secret as its file holds it, without the seal. Everything except the sealed values is readable, and all of it is authenticated. */
export type FileDocument = Omit<v.InferOutput<typeof form>, 'journal'> & { readonly journal: Journal | null }

const macOf = (keys: StoreKeys, body: string): Buffer => createHmac('sha256', keys.mac).update(body).digest()

/** Seals a document with the store's key. internal for a document that readDocument would refuse: nothing is written that cannot be read again. */
export function writeDocument(keys: StoreKeys, document: FileDocument): string {
  const body = { ...document, keyId: keys.id }
  const result = v.safeParse(form, body)
  if (!result.success) {
    const where = v.getDotPath(result.issues[0]) ?? 'its top'
    throw new RotationError('internal', `The document was not written: it could not be read again, because of ${where}.`, {
      next: 'Report it; the file is unchanged.',
    })
  }
  return `${JSON.stringify({ ...body, mac: macOf(keys, JSON.stringify(body)).toString('base64') }, null, 1)}\n`
}

/** Reads a document. bad_config for another store's key; damaged for a file that was cut off or edited. It changes nothing. */
export function readDocument(keys: StoreKeys, text: string, path: string): FileDocument {
  assertKey(keys, text, path)
  const { mac, ...body } = parse(text, path)
  const given = Buffer.from(typeof mac === 'string' ? mac : '', 'base64')
  const expected = macOf(keys, JSON.stringify(body))
  const fits = given.length === expected.length && timingSafeEqual(given, expected)
  if (!fits) throw damagedError(path, 'was edited: its seal does not fit')
  const result = v.safeParse(form, body)
  if (result.success) return result.output as FileDocument
  const where = v.getDotPath(result.issues[0]) ?? 'its top'
  throw damagedError(path, `does not have the form of this version at ${where}`)
}

/** bad_config for a file that was written with another key, whatever else may be wrong with it. */
export function assertKey(keys: StoreKeys, text: string, path: string): void {
  const { keyId } = parse(text, path)
  if (typeof keyId !== 'string' || keyId === keys.id) return
  throw new RotationError('bad_config', `${path} was written with another key (${keyId}, not ${keys.id}).`, {
    field: 'KEYTURN_KEY',
    next: 'Give the key of this store in KEYTURN_KEY or in its key file.',
  })
}

function parse(text: string, path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
  }
  throw damagedError(path, 'is cut off or not JSON')
}

/** Makes a damaged error for a file that was cut off or edited. Keyturn does not overwrite such a file. */
export const damagedError = (path: string, why: string): RotationError =>
  new RotationError('damaged', `The file ${path} ${why}.`, {
    next: 'Restore it from a backup. Keyturn left it as it is.',
  })

/** How many versions without a stage are kept, for a person who has to look back after an accident. */
const looseVersionsMax = 8

/** Drops the oldest of the versions without a stage, until eight are left. Current, previous and staged versions stay. */
export function dropOldest(document: FileDocument): FileDocument {
  const { versions, current, previous } = document
  const bare = versions.filter(({ id, staged }) => staged === undefined && id !== current && id !== previous)
  const oldest = bare.slice(0, Math.max(0, bare.length - looseVersionsMax))
  const gone = new Set(oldest.map(({ id }) => id))
  return { ...document, versions: versions.filter(({ id }) => !gone.has(id)) }
}
