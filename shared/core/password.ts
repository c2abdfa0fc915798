import { RotationError } from './errors.js'
import type { Env, PasswordWishes } from './ports/env.js'

/**
 * The form of a password. The default needs no quoting in a URL, a POSIX shell, YAML (it starts with a letter and is not a number), `.pgpass`
 * (no `:` or `\`) and an ODBC string (no `;`, `{`, `}`), and is the same text after SASLprep (RFC 4013), so that every client agrees on it.
 */
export interface PasswordRule {
  readonly length: number
  readonly alphabet: string
  /** What the first character may be; default: the letters of the alphabet. */
  readonly first?: string
  /** At least one character of each. */
  readonly classes: readonly string[]
  /** Default 128. */
  readonly bitsMin?: number
}

const lower = 'abcdefghijklmnopqrstuvwxyz'
const upper = lower.toUpperCase()
const digits = '0123456789'
const marks = '_-'
export const defaultRule: PasswordRule = { length: 32, alphabet: `${upper}${lower}${digits}${marks}`, classes: [upper, lower, digits] }

/**
 * The default, changed as an environment asks. Like the AWS rotation templates it may ask for less than 128 bits, but not less than 64. Where it
 * excludes every letter a digit comes first, and where it asks for each class in so many words the marks are one, too.
 */
export function wishedRule({ length, exclude = '', requireEach }: PasswordWishes): PasswordRule {
  const left = (characters: string): string => [...characters].filter((character) => !exclude.includes(character)).join('')
  const wanted = requireEach ? [...defaultRule.classes, marks] : defaultRule.classes
  const classes = wanted.map(left).filter((group) => group !== '')
  return {
    length: length ?? defaultRule.length,
    alphabet: left(defaultRule.alphabet),
    ...(left(upper + lower) === '' ? { first: left(digits) } : {}),
    classes: requireEach === false ? [] : classes,
    bitsMin: 64,
  }
}

const attemptsMax = 10_000
const bitsMin = 128
const keptMin = 0.001 // of all texts: then 10,000 draws find none for only one in 20,000 passwords
const remedy = 'Ask for fewer classes, or change the length or the alphabet. The default is 32 characters of A-Z a-z 0-9 _ -.'

/** Draws uniformly from all texts that keep the rule: it rejects bytes in the biased tail, and whole texts that do not keep the rule. */
export function generatePassword(rule: PasswordRule, random: Env['random']): string {
  checkRule(rule)
  const first = firstCharacters(rule)
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const text = draw(first, 1, random) + draw(rule.alphabet, rule.length - 1, random)
    if (rule.classes.every((group) => [...text].some((character) => group.includes(character)))) return text
  }
  throw new RotationError('bad_policy', `None of ${attemptsMax} drawn texts keeps the password rule.`, { next: remedy })
}

const firstCharacters = (rule: PasswordRule): string =>
  rule.first ?? [...rule.alphabet].filter((character) => /[A-Za-z]/.test(character)).join('')

/** bad_policy for a rule that is too weak, repeats characters, leaves printable ASCII, or cannot be kept. */
export function checkRule(rule: PasswordRule): void {
  const failRules = (why: string): never => {
    throw new RotationError('bad_policy', `The password rule ${why}.`, { next: remedy })
  }
  if (!/^[\x21-\x7e]+$/.test(rule.alphabet)) failRules('holds characters outside printable ASCII, which drivers encode differently')
  if (new Set(rule.alphabet).size !== rule.alphabet.length) failRules('names a character twice, which would make it more likely')
  if (!Number.isInteger(rule.length) || rule.length < 1 || rule.length > 256)
    failRules('has a length that is not a whole number from 1 to 256')
  const first = firstCharacters(rule)
  if (first === '') failRules('leaves no letter for the first character')
  const isKnown = [...first].every((character) => rule.alphabet.includes(character))
  if (!isKnown || new Set(first).size !== first.length)
    failRules('begins with a character that its alphabet does not have, or names one twice')
  if (rule.classes.some((group) => ![...group].some((character) => rule.alphabet.includes(character))))
    failRules('asks for a class that its alphabet does not have')
  const kept = shareKept(rule)
  if (kept < keptMin) failRules('asks for more classes than a text of its length can hold')
  const wanted = rule.bitsMin ?? bitsMin
  const bits = Math.log2(first.length) + (rule.length - 1) * Math.log2(rule.alphabet.length) + Math.log2(kept)
  if (bits < wanted) failRules(`gives less than ${wanted} bits`)
}

/** The share of all texts that have every class, without the first character (an estimate: classes are counted as if independent). */
const shareKept = ({ alphabet, length, classes }: PasswordRule): number =>
  classes.reduce((share, group) => {
    const without = [...alphabet].filter((character) => !group.includes(character)).length / alphabet.length
    return share * (1 - without ** (length - 1))
  }, 1)

function draw(alphabet: string, count: number, random: Env['random']): string {
  const limit = 256 - (256 % alphabet.length) // bytes at or above it would favour the first characters
  let text = ''
  while (text.length < count) {
    for (const byte of random((count - text.length) * 2)) {
      if (byte < limit && text.length < count) text += alphabet[byte % alphabet.length]
    }
  }
  return text
}
