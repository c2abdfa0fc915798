import type { SecretText } from '../../core/secret-text.js'
import { type JsonField, jsonFields, looksLikeJson } from '../../core/shapes/json.js'

/**
 * The texts that the operator may write for one field. It depends on the store that it reads. Most stores keep the bytes of the field as they are.
 * Some parse the value and write it again as Go does: a number without exponent, an object in one line with sorted names. Each of them stands for the
 * same value. A text is written as it reads, and null as nothing.
 */
export type Forms = readonly string[]

/** The fields of a value, by name; undefined where it is not a JSON object. bad_value for malformed JSON. */
export function formsOf(value: SecretText): ReadonlyMap<string, Forms> | undefined {
  const text = value.reveal()
  if (!looksLikeJson(text)) return undefined
  return new Map(jsonFields(text).map((field) => [field.name, formsIn(text, field)]))
}

function formsIn(text: string, { value, offset, length }: JsonField): Forms {
  if (typeof value === 'string') return [value]
  if (value === null) return ['']
  const raw = text.slice(offset, offset + length)
  return [raw, typeof value === 'number' ? plainNumber(value) : goJson(value)]
}

/** Writes a number with all of its digits and no exponent, as Go's FormatFloat does with the format f. */
function plainNumber(value: number): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? []
  const digits = whole + fraction
  const point = whole.length + Number(exponent)
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`
  if (point >= digits.length) return sign + digits.padEnd(point, '0')
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`
}

/** Writes a value in one line as Go's json.Marshal does: names in byte order, and what could end a script escaped. */
const goJson = (value: unknown): string =>
  oneLine(value).replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return `{${entries.map(([name, one]) => `${JSON.stringify(name)}:${oneLine(one)}`).join()}}`
}

/** The key that the operator makes of a field's name: whatever is neither a letter, a number nor one of - . _ becomes an underscore. */
export const keyOf = (name: string): string => name.replace(/[^\p{L}\p{N}\-._]/gu, '_')
