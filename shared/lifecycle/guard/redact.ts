import { SecretText } from '../../core/secret-text.js'

const lengthMin = 4 // shorter texts stand in every second word of a message; nothing shorter is ever generated
const mask = '[secret]'

/** Knows the live values of this invocation and takes them out of any text, in every form in which they could stand there. */
export interface Redactor {
  /** Every SecretText inside `value`, at any depth. */
  learn(value: unknown): void
  clean(text: string): string
}

export function createRedactor(): Redactor {
  const forms = new Set<string>()
  let sorted: readonly string[] | undefined
  const add = (text: string): void => {
    if (text.length < lengthMin || forms.has(text)) return
    for (const form of everyForm(text)) forms.add(form)
    sorted = undefined
  }
  return {
    learn: (value) => visit(value, (secret) => add(secret.reveal()), 0),
    clean: (text) => {
      sorted ??= [...forms].sort((a, b) => b.length - a.length) // a longer form may contain a shorter one
      return sorted.reduce((clean, form) => clean.replaceAll(form, mask), text)
    },
  }
}

const depthMax = 6
function visit(value: unknown, found: (secret: SecretText) => void, depth: number): void {
  if (value instanceof SecretText) found(value)
  else if (typeof value === 'object' && value !== null && depth <= depthMax) {
    for (const inner of Object.values(value)) visit(inner, found, depth + 1)
  }
}

/** Raw, percent-encoded, JSON-escaped, SQL-quoted, and base64 at each of its three alignments, plain and URL-safe. */
export function everyForm(text: string): readonly string[] {
  const json = JSON.stringify(text).slice(1, -1)
  const forms = [
    text,
    encodeURIComponent(text.toWellFormed()),
    encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`),
    json,
    json.replace(/[\u0080-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`),
    JSON.stringify(json).slice(1, -1),
    text.replaceAll("'", "''"),
    text.replaceAll("'", "''").replaceAll('\\', '\\\\'),
    text.replaceAll('"', '""'),
    ...[0, 1, 2].flatMap((shift) => base64Core(text, shift)),
  ]
  return [...new Set(forms)].filter((form) => form.length >= lengthMin)
}

/** The characters of the base64 text that depend on `text` alone, when `shift` bytes stand in front of it. */
function base64Core(text: string, shift: number): readonly string[] {
  const bytes = Buffer.from(text)
  const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
  const start = Math.ceil((shift * 8) / 6)
  const end = Math.floor(((shift + bytes.length) * 8) / 6)
  const core = encoded.slice(start, end)
  if (core.length < 6) return []
  return [core, core.replaceAll('+', '-').replaceAll('/', '_')]
}
