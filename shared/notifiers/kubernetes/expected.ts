import { createHash, timingSafeEqual } from 'node:crypto'
import type { SecretText } from '../../core/secret-text.js'
import type { ExternalSecret, Secret } from './objects.js'
import { type Forms, formsOf, keyOf } from './written.js'

/**
 * What an ExternalSecret makes of one value: the keys of the Secret, and which field of the value each has; `undefined`: the whole value. `key`: as
 * far as it is known, only the remote key is wrong.
 */
export type Mapping =
  | { readonly keys: ReadonlyMap<string, string | undefined>; readonly extracts: boolean }
  | { readonly why: string; readonly key?: true }

/** An ARN of AWS counts as the name in it, with or without the six characters that the service adds. */
const nameOf = (key: string | undefined): string | undefined =>
  key?.replace(/^arn:aws[a-z-]*:secretsmanager:[^:]*:\d*:secret:(.+?)(-[A-Za-z0-9]{6})?$/, '$1')

/** The entries that read this secret: all entries where they name only one secret. */
function ownEntries({ spec }: ExternalSecret, remoteKey: string) {
  const { data, dataFrom } = spec
  const all = [...data.map((one) => one.remoteRef.key), ...dataFrom.map((one) => one.extract?.key)]
  const known = new Set(all.flatMap((key) => nameOf(key) ?? []))
  const isOurs = (key: string | undefined): boolean => {
    const name = nameOf(key)
    return name === nameOf(remoteKey) || (known.size === 1 && known.has(name ?? ''))
  }
  return {
    ours: data.filter((one) => isOurs(one.remoteRef.key)),
    extracted: dataFrom.filter((one) => one.extract !== undefined && isOurs(one.extract.key)),
    finds: dataFrom.some((one) => one.find !== undefined),
  }
}

/** Why a marker proves only its own entry. Each entry is a read of its own, and one may be old while the other is current. */
export function whyNoOneRead(externalSecret: ExternalSecret, remoteKey: string): string | undefined {
  const { ours, extracted, finds } = ownEntries(externalSecret, remoteKey)
  if (finds) return 'it finds secrets by name or tag, each by a read of its own'
  if (ours.length + extracted.length <= 1) return undefined
  return 'its entries are read one by one, so a marker says nothing about the others'
}

/** What an ExternalSecret makes of the value, as far as that is certain. The result of a template or a renamed key cannot be computed here, and proves nothing. */
export function mappingOf(externalSecret: ExternalSecret, remoteKey: string): Mapping {
  const { template } = externalSecret.spec.target ?? {}
  if (template?.data !== undefined || template?.templateFrom !== undefined)
    return { why: 'its target has a template with data, whose result cannot be computed here' }
  const { ours, extracted, finds } = ownEntries(externalSecret, remoteKey)
  if (finds) return { why: 'it finds secrets by name or tag, which may be this one once more' }
  if (ours.length + extracted.length === 0) return { why: `none of its entries has the remote key ${remoteKey}`, key: true }
  const refs = [...ours.map((one) => one.remoteRef), ...extracted.flatMap((one) => one.extract ?? [])]
  if (refs.some(isOdd)) return { why: 'an entry decodes, converts or pins a version' }
  if (extracted.some((one) => one.rewrite.length > 0 || one.extract?.property !== undefined))
    return { why: 'an entry of dataFrom renames or takes a part' }
  const keys = new Map(ours.map((one) => [one.secretKey, one.remoteRef.property]))
  const isPath = (property: string | undefined): boolean => property !== undefined && !/^[A-Za-z0-9_-]+$/.test(property)
  if (ours.some((one) => isPath(one.remoteRef.property))) return { why: 'a property is a path, not the name of a field' }
  return { keys, extracts: extracted.length > 0 }
}

type RemoteRef = ExternalSecret['spec']['data'][number]['remoteRef']
const isOdd = ({ decodingStrategy, conversionStrategy, version }: RemoteRef): boolean =>
  decodingStrategy !== 'None' || conversionStrategy !== 'Default' || version !== undefined

/** Whether the Secret holds this value now. It is compared in memory, in constant time, and never shown. A value without the fields is not held. */
export function holds(secret: Secret, mapping: Exclude<Mapping, { readonly why: string }>, value: SecretText): boolean {
  const fields = formsOf(value)
  const wanted = new Map<string, Forms | undefined>()
  if (mapping.extracts && fields === undefined) return false
  // The operator leaves out a field without a name.
  if (mapping.extracts) for (const [name, forms] of fields ?? []) if (name !== '') wanted.set(keyOf(name), forms)
  // Single entries come after whole ones, as the operator does it.
  for (const [key, field] of mapping.keys) wanted.set(key, field === undefined ? [value.reveal()] : fields?.get(field))
  const isHeld = ([key, forms]: [string, Forms | undefined]): boolean => forms?.some((one) => isSame(secret.data[key], one)) === true
  return wanted.size > 0 && [...wanted].every(isHeld)
}

/** Whether anything that it takes differs from the previous version. If nothing does, the Secret is the same whatever the operator read. */
export function takesWhatChanged(
  { keys, extracts }: Exclude<Mapping, { readonly why: string }>,
  now: SecretText,
  before: SecretText,
): boolean {
  const [fields, older] = [formsOf(now), formsOf(before)]
  const hasChanged = (field: string | undefined): boolean => field === undefined || fields?.get(field)?.[0] !== older?.get(field)?.[0]
  return extracts || [...keys.values()].some(hasChanged)
}

/** Compares in constant time: the duration does not show where two texts differ. */
export const isSameText = (a: string, b: string): boolean =>
  timingSafeEqual(digestOf(Buffer.from(a, 'utf8')), digestOf(Buffer.from(b, 'utf8')))

const digestOf = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()
const isSame = (base64: string | undefined, text: string): boolean =>
  base64 !== undefined && timingSafeEqual(digestOf(Buffer.from(base64, 'base64')), digestOf(Buffer.from(text, 'utf8')))
