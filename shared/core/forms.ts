/** Shorter texts occur in every second word of a message. Nothing shorter is ever generated. */
export const formLengthMin = 4

/**
 * All forms in which a secret text may occur in another text: raw, percent-encoded, JSON-escaped, SQL-quoted, and base64 at each of its three
 * alignments, plain and URL-safe. Forms shorter than `formLengthMin` are left out.
 */
export function everyForm(text: string): readonly string[] {
  const json = JSON.stringify(text).slice(1, -1)
  const percent = encodeURIComponent(text.toWellFormed())
  const percentAll = percent.replace(/[!'()*]/g, (character) => `%${hex(character, 2).toUpperCase()}`)
  const forms = [
    text,
    ...[percent, percentAll].flatMap((form) => [form, form.replace(/%[0-9A-F]{2}/g, (triple) => triple.toLowerCase())]),
    json,
    json.replace(beyondAscii, (unit) => `\\u${hex(unit, 4)}`),
    json.replace(beyondAscii, (unit) => `\\u${hex(unit, 4).toUpperCase()}`),
    JSON.stringify(json).slice(1, -1),
    text.replaceAll("'", "''"),
    text.replaceAll("'", "''").replaceAll('\\', '\\\\'),
    text.replaceAll('"', '""'),
    ...[0, 1, 2].flatMap((shift) => base64Core(text, shift)),
  ]
  return [...new Set(forms)].filter((form) => form.length >= formLengthMin)
}

const beyondAscii = /[\u0080-\uffff]/g
const hex = (unit: string, digits: number): string => unit.charCodeAt(0).toString(16).padStart(digits, '0')

/** The characters of the base64 text that depend on `text` alone, when `shift` bytes precede it. */
function base64Core(text: string, shift: number): readonly string[] {
  const bytes = Buffer.from(text)
  const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
  const core = encoded.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6))
  return [core, core.replaceAll('+', '-').replaceAll('/', '_')]
}
