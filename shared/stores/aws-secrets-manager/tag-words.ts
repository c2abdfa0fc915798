import { type Code, codes } from '../../core/ports/errors.js'

/** Characters of a tag's value. */
export const textMax = 256
/** What is written for a word that is missing. */
export const none = '-'

/** Writes epoch milliseconds as one short word. */
export const time = (ms: number): string => Math.max(0, Math.round(ms)).toString(36)
/** Reads such a word; undefined for anything else. */
export const timeOf = (text: string | undefined): number | undefined => {
  const ms = text === undefined || !/^[0-9a-z]{1,10}$/.test(text) ? Number.NaN : Number.parseInt(text, 36)
  return Number.isSafeInteger(ms) ? ms : undefined
}

/**
 * Escapes a word. Characters that are legal in a tag of every cloud stay, except blank and slash, which separate. All others become `=` and two hex
 * digits for each byte.
 */
export const escapeWord = (text: string): string =>
  text.replace(/[^A-Za-z0-9\-._:@]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join(''),
  )
/** Reads an escaped word. */
export const unescapeWord = (text: string): string =>
  Buffer.from(
    text.replace(/[^=]|=([0-9a-f]{2})/g, (one, hex?: string) => hex ?? Buffer.from(one).toString('hex')),
    'hex',
  ).toString('utf8')

/** The code that a word names; undefined for anything else. */
export const codeNamed = (text: string | undefined): Code | undefined =>
  text !== undefined && Object.hasOwn(codes, text) ? (text as Code) : undefined
