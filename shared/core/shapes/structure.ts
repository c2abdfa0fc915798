import { RotationError } from '../errors.js'

/** How one kind of structure is called, and how a text shows it. */
type Row = readonly [what: string, shows: RegExp]

/** The first row that matches names the text. None of them matches a text that is drawn at random from an alphabet of keys. */
const rows: readonly Row[] = [
  ['an armoured block', /-----BEGIN /],
  ['an object', /^(\{[\s\S]*\}|<[\s\S]*>)$/],
  ['a list', /^\[[\s\S]*\]$/],
  ['a list', /^[-*]\s/],
  ['a quoted string', /^(["'`])[\s\S]*\1$/],
  ['text of several lines', /[\n\v\f\r\u0085\u2028\u2029]|\\n/],
  ['a URL', /^(?!base64:)[a-z][a-z0-9+.-]*:\/\//i],
  ['a NAME=value', /^(?:export\s+)?[A-Z_][A-Z0-9_]*\s*=(?!=*$)/],
  ['a NAME=value', /^[A-Za-z_][A-Za-z_]+\d*(?:[_.-][A-Za-z]+\d*)*\s*=(?!=*$)/],
  ['a NAME: value', /^["']?[A-Za-z_][\w.-]*["']?\s*:\s/],
  ['a list', /^[\w.+/=~-]+(?:\s*[,;|]\s*[\w.+/=~-]+)+[,;|]?$/],
  ['text of several words', /\s/],
  ['a pair with a colon', /^(?!base64:|hex:)[A-Za-z][\w.@+-]*:[^:]+$/],
  ['a signed token (JWT)', /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/],
  ['a hash of a password', /^\$(?:1|2[abxy]?|5|6|7|y|argon2[a-z]*|pbkdf2[a-z0-9-]*|scrypt)\$/],
]

const whatOf = (text: string): string | undefined => rows.find(([, shows]) => shows.test(text))?.[0]

/**
 * What a text is that holds more than one key, or a key inside something else; undefined for a text that may be a key. White space around the text
 * does not count. A rotation would replace all of such a text by one key, and its readers would find nothing else any more.
 */
export function structureOf(text: string): string | undefined {
  const inner = text.trim()
  const what = whatOf(inner)
  if (what !== undefined) return what
  const decoded = decodedText(inner)
  const hidden = decoded === undefined ? undefined : whatOf(decoded.trim())
  return hidden === undefined ? undefined : `${hidden} in base64`
}

/** The text that a base64 text stands for; undefined for bytes that are not printable text, as those of a random key are. */
function decodedText(text: string): string | undefined {
  if (!/^[A-Za-z0-9+/_-]{16,}={0,2}$/.test(text)) return undefined
  const decoded = Buffer.from(text, 'base64').toString('latin1')
  return /^[\t\n\r\x20-\x7e]+$/.test(decoded) ? decoded : undefined
}

/** bad_value for a text that is not one key. `field`: the field that holds it; undefined where it is the whole value. It quotes nothing of the text. */
export function assertKey(text: string, field: string | undefined): void {
  const what = structureOf(text)
  if (what === undefined) return
  const where = field === undefined ? 'The value' : `The field ${field}`
  const several = 'or each of several in a field of its own (keyturn-parts)'
  throw new RotationError('bad_value', `${where} is not one key, but ${what}: a rotation would replace all of it.`, {
    field: field ?? 'value',
    next: `Put it again as JSON with the key alone in a field, and name that field: keyturn adopt <ref> field=NAME; ${several}.`,
  })
}
