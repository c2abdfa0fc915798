/** Characters that keys are written with. */
const lower = 'abcdefghijklmnopqrstuvwxyz'
const upper = lower.toUpperCase()
const digits = '0123456789'
export const base64 = `${upper}${lower}${digits}+/`
export const base64url = `${upper}${lower}${digits}-_`

/** Alphabets without a symbol, the smallest first. A key that fits several readings is drawn from the smallest: each of its readers takes that. */
const plain: readonly string[] = [
  digits,
  `${digits}abcdef`,
  `${digits}ABCDEF`,
  lower,
  upper,
  `${upper}234567`, // base32
  `${lower}234567`,
  `${digits}${lower}`,
  `${digits}${upper}`,
  `${upper}${lower}`,
  `${digits}${upper}${lower}`.replace(/[0OIl]/g, ''), // base58
  `${digits}${upper}${lower}`,
]

/** The symbols that stand anywhere in generated keys and passwords. Other symbols separate, quote or escape something. */
const freeSymbols = '!@#$%^&*()-_=+'

const within = (text: string, alphabet: string): boolean => [...text].every((character) => alphabet.includes(character))

/** The alphabet of a text, with the symbols that each new text has at least once; undefined where a symbol's place may matter. */
export function alphabetOf(text: string): { readonly alphabet: string; readonly symbols: string } | undefined {
  const symbols = [...new Set(text.replace(/[A-Za-z0-9]/g, ''))].sort().join('')
  if (symbols === '') {
    const alphabet = plain.find((one) => within(text, one))
    return alphabet === undefined ? undefined : { alphabet, symbols }
  }
  const isMixed = /[a-z]/.test(text) && /[A-Z]/.test(text)
  const family = [base64url, base64].find((one) => isMixed && within(text, one))
  if (family !== undefined) return { alphabet: family, symbols: '' }
  if (!within(symbols, freeSymbols) || isEscaped(text, symbols)) return undefined
  const letters = [lower, upper, digits].filter((group) => [...text].some((character) => group.includes(character)))
  return { alphabet: letters.join('') + symbols, symbols }
}

/** Whether a percent sign is the only symbol, and may begin an escape wherever it is. */
const isEscaped = (text: string, symbols: string): boolean =>
  symbols.replace(/[-_]/g, '') === '%' && /^(?:[^%]|%[0-9A-Fa-f]{2})*$/.test(text)

/** Draws characters uniformly: it omits bytes that would favour the first characters. */
export function draw(alphabet: string, count: number, random: (bytes: number) => Uint8Array): string {
  const limit = 256 - (256 % alphabet.length)
  let text = ''
  while (text.length < count) {
    const drawn = [...random(2 * (count - text.length))].filter((byte) => byte < limit)
    for (const byte of drawn.slice(0, count - text.length)) text += alphabet[byte % alphabet.length]
  }
  return text
}
