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

/** Only what is certain: what the operator renders or renames cannot be computed here, and is then no proof. */
export function mappingOf({ spec }: ExternalSecret, remoteKey: string): Mapping {
  if (spec.target?.template?.data !== undefined || spec.target?.template?.templateFrom !== undefined)
    return { why: 'its target has a template with data, whose result cannot be computed here' }
  const all = [...spec.data.map((one) => one.remoteRef.key), ...spec.dataFrom.map((one) => one.extract?.key)]
  const known = all.filter((key) => key !== undefined)
  const isOurs = (key: string | undefined): boolean => key === remoteKey || (new Set(known).size === 1 && key === known[0])
  const ours = spec.data.filter((one) => isOurs(one.remoteRef.key))
  const extracted = spec.dataFrom.filter((one) => one.extract !== undefined && isOurs(one.extract.key))
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
  for (const [key, field] of mapping.keys) wanted.set(key, field === undefined ? text : fields?.get(field))
  if (mapping.extracts) for (const [key, one] of fields ?? [[undefined, undefined]]) wanted.set(key ?? '', one)
  return wanted.size > 0 && [...wanted].every(([key, one]) => one !== undefined && isSame(secret.data[key], one))
}

/** One field of a JSON value, as the operator writes it. */
export function fieldOf(value: SecretText, name: string): string | undefined {
  const text = value.reveal()
  const field = looksLikeJson(text) ? jsonFields(text).find((one) => one.name === name) : undefined
  return field === undefined ? undefined : asText(field.value)
}
export const isSameText = (a: string, b: string): boolean =>
  timingSafeEqual(digestOf(Buffer.from(a, 'utf8')), digestOf(Buffer.from(b, 'utf8')))

/** As the operator writes a field that is no text: compact JSON. */
const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
const digestOf = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()
const isSame = (base64: string | undefined, text: string): boolean =>
  base64 !== undefined && timingSafeEqual(digestOf(Buffer.from(base64, 'base64')), digestOf(Buffer.from(text, 'utf8')))
