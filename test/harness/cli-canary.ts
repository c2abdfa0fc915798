import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

/** Random letters around everything that an encoder could stumble over. */
export const canary = (name: string): string => `${name}${letters()}"%'\\ü${letters()}`
const letters = (): string => [...randomBytes(14)].map((byte) => String.fromCharCode(97 + (byte % 26))).join('')

/**
 * The five ways in which a value could stand in a text, and the letters of a canary alone (which find a cut one too). Made here by hand: the
 * encoders of what is under test are not asked.
 */
export function writingsOf(text: string): ReadonlyMap<string, string> {
  const bytes = [...Buffer.from(text, 'utf8')]
  const hex = (code: number, width: number) => code.toString(16).padStart(width, '0')
  const unreserved = /[A-Za-z0-9._~-]/
  const percent = (upper: boolean) =>
    bytes
      .map((byte) => [byte, String.fromCharCode(byte)] as const)
      .map(([byte, char]) => (byte < 128 && unreserved.test(char) ? char : `%${upper ? hex(byte, 2).toUpperCase() : hex(byte, 2)}`))
      .join('')
  const json = [...text].map((char) => (char === '"' || char === '\\' ? `\\${char}` : char)).join('')
  const found = new Map<string, string>([
    ['raw', text],
    ['percent-encoded', percent(true)],
    ['percent-encoded, small letters', percent(false)],
    ['JSON-escaped', json],
    ['JSON-escaped, ASCII only', [...json].map((char) => (char > '~' ? `\\u${hex(char.charCodeAt(0), 4)}` : char)).join('')],
    ['JSON-escaped twice', [...json].map((char) => (char === '"' || char === '\\' ? `\\${char}` : char)).join('')],
    ['SQL-quoted', text.split("'").join("''")],
    ['SQL-quoted as E text', text.split('\\').join('\\\\').split("'").join("''")],
  ])
  for (const shift of [0, 1, 2]) found.set(`base64 at offset ${shift}`, base64Inside(bytes, shift))
  for (const [index, run] of (text.match(/[a-z]{14,}/gi) ?? []).entries()) found.set(`letters ${index + 1}`, run)
  return found
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
/** The digits that these bytes alone decide when `shift` unknown bytes stand before them: six bits each, whole ones only. */
function base64Inside(bytes: readonly number[], shift: number): string {
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const skip = (6 - ((shift * 8) % 6)) % 6
  const digits = bits.slice(skip).match(/.{6}/g) ?? []
  return digits.map((digit) => alphabet[Number.parseInt(digit, 2)]).join('')
}

/** Which secret stands in which text, and how; empty when none does. `where` is text read as UTF-8 or, for files, byte by byte. */
export function leaksIn(places: Readonly<Record<string, string>>, secrets: Readonly<Record<string, string>>): readonly string[] {
  const urlSafe = (form: string) => form.split('+').join('-').split('/').join('_')
  return Object.entries(places).flatMap(([place, text]) =>
    Object.entries(secrets).flatMap(([name, secret]) =>
      [...writingsOf(secret)]
        .filter(([how, form]) => text.includes(form) || (how.startsWith('base64') && text.includes(urlSafe(form))))
        .map(([how]) => `${name} stands ${how} in ${place}`),
    ),
  )
}

/** A verifier made by hand, so that no statement (and no server log) ever holds the password that a test sets. */
export function verifierOf(password: string): string {
  const [salt, iterations] = [randomBytes(16), 4096]
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256')
  const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest()
  const stored = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${hmac(salted, 'Server Key').toString('base64')}`
}
