import { isDeepStrictEqual } from 'node:util'
import { alphabetOf, base64, draw } from './alphabets.js'
import { RotationError } from './errors.js'
import type { Env } from './ports/env.js'
import { structureOf } from './shapes/structure.js'

type Random = Env['random']

/** How the part of a key is written that a rotation draws. */
export type Layout =
  | { readonly kind: 'uuid'; readonly upper: boolean }
  /** `group`: characters between two separators, in a key of groups of one length. */
  | {
      readonly kind: 'characters'
      readonly alphabet: string
      /** Each of them occurs at least once. */
      readonly symbols: string
      readonly length: number
      readonly group?: number
      readonly separator?: string
      /** How many = signs fill it up. */
      readonly padding: number
      /** Bits of the last character that are zero, because it ends a number of whole bytes in base64. */
      readonly spare: number
    }

/** How a key is written: what each new key keeps, so that whoever takes the present one takes the new one, too. */
export interface Spelling {
  readonly prefix: string
  readonly layout: Layout
}

/** Nothing weaker is made again. It is what the rotation templates of AWS take, too. */
const bitsMin = 64
const attemptsMax = 2000
const uuidForm = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

/** Words in front of a key that say whose it is: sk_live_, whsec_, base64: */
const segment = '(?:[A-Z]?[a-z][a-z0-9]{1,15}|[A-Z][A-Z0-9]{1,15})[_.-]'
const prefixForm = new RegExp(`^(?:(?:${segment})+|AKIA|ASIA|AIza|base64:|hex:)`)

/** The prefixes that a text may have, the longest first, and none at last. */
function prefixesOf(text: string): readonly string[] {
  const all: string[] = []
  let found = prefixForm.exec(text)?.[0] ?? ''
  while (found !== '') {
    all.push(found)
    found = /^(.*[_.-])[^_.-]+[_.-]$/.exec(found)?.[1] ?? ''
  }
  return [...all, '']
}

/** The prefix of a text that nobody draws by chance: words of letters before a key without such signs; empty where there is none. */
export function clearPrefixOf(text: string): string {
  const found = /^(?:(?:[a-z]{2,16}|[A-Z]{2,16})[_.:-])+(?=[A-Za-z0-9+/]{16,}={0,2}$)/.exec(text)?.[0] ?? ''
  return found.length < 5 ? '' : found
}

/** How a text is written. Returns why it cannot be told, in words that quote nothing of it. */
export function spellingOf(text: string): Spelling | string {
  if (uuidForm.test(text)) return { prefix: '', layout: uuid(text) }
  const groups = groupsOf(text)
  if (groups !== undefined) return { prefix: '', layout: groups }
  const prefixes = prefixesOf(text)
  for (const prefix of prefixes) {
    const layout = layoutOf(text.slice(prefix.length))
    if (layout !== undefined && bitsOf(layout) >= bitsMin) return { prefix, layout }
  }
  return layoutOf(text) === undefined ? 'it has signs whose place may matter' : `it is shorter than ${bitsMin} bits`
}

const uuid = (text: string): Layout => ({ kind: 'uuid', upper: text === text.toUpperCase() })

function layoutOf(body: string): Layout | undefined {
  if (uuidForm.test(body)) return uuid(body)
  const padding = paddingOf(body)
  const drawn = body.slice(0, body.length - padding)
  // The = signs at the end of base64 do not fill up this part of it, so the prefix belongs to the text.
  if (/^[\w+/-]*=+$/.test(drawn)) return undefined
  const found = alphabetOf(drawn)
  if (found === undefined || drawn === '') return undefined
  return { kind: 'characters', ...found, length: drawn.length, padding, spare: spareBits(drawn, found.symbols) }
}

/** Keys such as ABCDE-FGHIJ-KLMNO: at least three groups of one length, with one sign between them. */
function groupsOf(text: string): Layout | undefined {
  const [separator = ''] = /[-_.:]/.exec(text) ?? []
  const groups = separator === '' ? [] : text.split(separator)
  const [first = ''] = groups
  const drawn = groups.join('')
  const isEven = groups.length >= 3 && first.length >= 2 && groups.every((one) => one.length === first.length)
  const found = isEven && /^[A-Za-z0-9]+$/.test(drawn) ? alphabetOf(drawn) : undefined
  if (found === undefined) return undefined
  const layout: Layout = { kind: 'characters', ...found, length: drawn.length, group: first.length, separator, padding: 0, spare: 0 }
  return bitsOf(layout) >= bitsMin ? layout : undefined
}

/** How many = signs fill up a text of base64 or base32; a = sign of any other text is one of its characters. */
export function paddingOf(text: string): number {
  const [, drawn = '', signs = ''] = /^(.*?)(=*)$/s.exec(text) ?? []
  const is64 = signs.length <= 2 && text.length % 4 === 0 && /^(?:[A-Za-z0-9+/]+|[\w-]+)$/.test(drawn)
  const is32 = signs.length <= 6 && text.length % 8 === 0 && /^(?:[A-Z2-7]+|[a-z2-7]+)$/.test(drawn)
  return is64 || is32 ? signs.length : 0
}

const sextetOf = (character: string): number => base64.indexOf(character.replace('-', '+').replace('_', '/'))

/** A text of base64 that ends within a byte fills it with zeros. A strict reader refuses any other bits. */
function spareBits(drawn: string, symbols: string): number {
  const spare = [0, 0, 4, 2][drawn.length % 4] ?? 0
  const isBase64 = symbols === '' && !/^(?:[0-9a-f]+|[0-9A-F]+)$/.test(drawn)
  return isBase64 && sextetOf(drawn.slice(-1)) % 2 ** spare === 0 ? spare : 0
}

function bitsOf(layout: Layout): number {
  if (layout.kind === 'uuid') return 122
  return (layout.length - layout.symbols.length) * Math.log2(layout.alphabet.length)
}

/**
 * Makes a key that is written as `spelling` says, and is read back as exactly that: no rotation narrows what a key may be. It never begins with a
 * hyphen, which a command line takes for an option.
 */
export function writeAs(spelling: Spelling, random: Random): string {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const text = spelling.prefix + writeLayout(spelling.layout, random)
    if (!text.startsWith('-') && structureOf(text) === undefined && isDeepStrictEqual(spellingOf(text), spelling)) return text
  }
  throw new RotationError('bad_policy', `None of ${attemptsMax} drawn keys is written as the present one.`, {
    field: 'keyturn-form',
    next: 'Name how a new key is written: keyturn-form, with keyturn-spelling=change.',
  })
}

function writeLayout(layout: Layout, random: Random): string {
  if (layout.kind === 'uuid') {
    const text = newUuid(random)
    return layout.upper ? text.toUpperCase() : text
  }
  const { alphabet, symbols, length, padding, spare, group, separator = '' } = layout
  const last = [...alphabet].filter((one) => sextetOf(one) % 2 ** spare === 0).join('')
  const free = draw(alphabet, length - symbols.length - 1, random)
  const drawn = shuffled(free + symbols, symbols, random) + draw(spare === 0 ? alphabet : last, 1, random)
  const text = group === undefined ? drawn : (drawn.match(new RegExp(`.{${group}}`, 'g')) ?? []).join(separator)
  return text + '='.repeat(padding)
}

/** Mixes the characters where some of them are not drawn by chance. A symbol is not the first one. */
function shuffled(text: string, symbols: string, random: Random): string {
  if (symbols === '') return text
  const mixed = [...text].map((one) => [Buffer.from(random(8)).readBigUInt64BE(), one] as const)
  const sorted = mixed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
  const first = sorted.findIndex((one) => !symbols.includes(one))
  return first < 0 ? sorted.join('') : [...sorted.splice(first, 1), ...sorted].join('')
}

/** A UUID of version 4 (RFC 9562). */
export function newUuid(random: Random): string {
  const all = Buffer.from(random(16))
  all[6] = ((all[6] ?? 0) & 0x0f) | 0x40
  all[8] = ((all[8] ?? 0) & 0x3f) | 0x80
  return all.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Repeats a draw until it does not begin with a hyphen. */
export function withoutHyphen(make: () => string): string {
  let text = make()
  while (text.startsWith('-')) text = make()
  return text
}
