import { createHash, timingSafeEqual } from 'node:crypto'
import type { SecretText } from '../../core/secret-text.js'
import { jsonFields, looksLikeJson } from '../../core/shapes/json.js'
import type { ExternalSecret, Secret } from './objects.js'

/**
 * What an ExternalSecret makes of one value: keys of the Secret and which field of the value stands in each; `undefined`: the whole value. `key`: only
 * the remote key is wrong, as far as it is known.
 */
export type Mapping =
  | { readonly keys: ReadonlyMap<string, string | undefined>; readonly extracts: boolean }
  | { readonly why: string; readonly key?: true }

/** An ARN of AWS stands for the name in it, with or without the six characters that the service adds. */
const nameOf = (key: string | undefined): string | undefined =>
  key?.replace(/^arn:aws[a-z-]*:secretsmanager:[^:]*:\d*:secret:(.+?)(-[A-Za-z0-9]{6})?$/, '$1')

/** The entries that read this secret: all of them where they name but one. */
function ownEntries({ spec }: ExternalSecret, remoteKey: string) {
  const all = [...spec.data.map((one) => one.remoteRef.key), ...spec.dataFrom.map((one) => one.extract?.key)]
  const known = new Set(all.flatMap((key) => nameOf(key) ?? []))
  const isOurs = (key: string | undefined): boolean =>
    nameOf(key) === nameOf(remoteKey) || (known.size === 1 && known.has(nameOf(key) ?? ''))
  return {
    ours: spec.data.filter((one) => isOurs(one.remoteRef.key)),
    extracted: spec.dataFrom.filter((one) => one.extract !== undefined && isOurs(one.extract.key)),
    finds: spec.dataFrom.some((one) => one.find !== undefined),
  }
}

/** A marker stands for what was read with it: each entry is a read of its own, and one may be of before while the other is of now. */
export function whyNoOneRead(externalSecret: ExternalSecret, remoteKey: string): string | undefined {
  const { ours, extracted, finds } = ownEntries(externalSecret, remoteKey)
  if (finds) return 'it finds secrets by name or tag, each by a read of its own'
  return ours.length + extracted.length > 1
    ? 'its entries are read one by one, so that a marker says nothing of what stands beside it'
    : undefined
}

/** Only what is certain: what the operator renders or renames cannot be computed here, and is then no proof. */
export function mappingOf(externalSecret: ExternalSecret, remoteKey: string): Mapping {
  const { spec } = externalSecret
  if (spec.target?.template?.data !== undefined || spec.target?.template?.templateFrom !== undefined)
    return { why: 'its target has a template with data, whose result cannot be computed here' }
  const { ours, extracted, finds } = ownEntries(externalSecret, remoteKey)
  if (finds) return { why: 'it finds secrets by name or tag, which may be this one once more' }
  if (ours.length + extracted.length === 0) return { why: `none of its entries has the remote key ${remoteKey}`, key: true }
  const odd = [...ours.map((one) => one.remoteRef), ...extracted.flatMap((one) => one.extract ?? [])]
  if (odd.some((one) => one.decodingStrategy !== 'None' || one.conversionStrategy !== 'Default' || one.version !== undefined))
    return { why: 'an entry decodes, converts or pins a version' }
  if (extracted.some((one) => one.rewrite.length > 0 || one.extract?.property !== undefined))
    return { why: 'an entry of dataFrom renames or takes a part' }
  if (ours.some((one) => one.remoteRef.property !== undefined && !/^[A-Za-z0-9_-]+$/.test(one.remoteRef.property)))
    return { why: 'a property is a path, not the name of a field' }
  return { keys: new Map(ours.map((one) => [one.secretKey, one.remoteRef.property])), extracts: extracted.length > 0 }
}

/** Whether the Secret holds this value now: compared in memory, in constant time, never shown. A value that cannot be taken apart is not held. */
export function holds(secret: Secret, mapping: Exclude<Mapping, { readonly why: string }>, value: SecretText): boolean {
  const text = value.reveal()
  const fields = looksLikeJson(text) ? new Map(jsonFields(text).map((one) => [one.name, asText(one.value)])) : undefined
  const wanted = new Map<string, string | undefined>()
  if (mapping.extracts) for (const [key, one] of fields ?? [[undefined, undefined]]) wanted.set(key ?? '', one)
  // Single entries come after whole ones, as the operator has it.
  for (const [key, field] of mapping.keys) wanted.set(key, field === undefined ? text : fields?.get(field))
  return wanted.size > 0 && [...wanted].every(([key, one]) => one !== undefined && isSame(secret.data[key], one))
}

/** Whether anything that it takes is another in the version before: else it holds what it held, whatever the operator read. */
export const takesWhatChanged = (
  { keys, extracts }: Exclude<Mapping, { readonly why: string }>,
  now: SecretText,
  before: SecretText,
): boolean => extracts || [...keys.values()].some((field) => field === undefined || fieldOf(now, field) !== fieldOf(before, field))

/** One field of a JSON value, as the operator writes it. */
export function fieldOf(value: SecretText, name: string): string | undefined {
  const text = value.reveal()
  const field = looksLikeJson(text) ? jsonFields(text).find((one) => one.name === name) : undefined
  return field === undefined ? undefined : asText(field.value)
}
/** Compares in constant time: how long it takes does not tell where two texts differ. */
export const isSameText = (a: string, b: string): boolean =>
  timingSafeEqual(digestOf(Buffer.from(a, 'utf8')), digestOf(Buffer.from(b, 'utf8')))

/** As the operator writes a field that is no text: compact JSON. */
const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
const digestOf = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()
const isSame = (base64: string | undefined, text: string): boolean =>
  base64 !== undefined && timingSafeEqual(digestOf(Buffer.from(base64, 'base64')), digestOf(Buffer.from(text, 'utf8')))
