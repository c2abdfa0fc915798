import type { Environment } from '../../shared/app/platform.js'
import type { PasswordWishes } from '../../shared/core/ports/env.js'

/** The names that the vendor's rotation templates know, and the characters that each excludes from new passwords. */
const classes = {
  EXCLUDE_NUMBERS: '0123456789',
  EXCLUDE_PUNCTUATION: '_-',
  EXCLUDE_UPPERCASE: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  EXCLUDE_LOWERCASE: 'abcdefghijklmnopqrstuvwxyz',
} as const

/** The words that the templates take for a yes, in any case; every other one is a no. An empty variable counts as not set. */
const isOn = (text: string): boolean => ['true', '1', 'y', 'yes'].includes(text.toLowerCase())

/** A whole number, with a plus sign and white space around it or not, as the templates read it. */
const wholeNumber = /^\s*\+?0*(\d{1,3})\s*$/

/** What the templates' variables ask of new passwords; undefined where none is set. `problems` hears of a wrong one. */
export function passwordWishes(environment: Environment, problems: string[]): PasswordWishes | undefined {
  const { PASSWORD_LENGTH: length, EXCLUDE_CHARACTERS: characters = '', REQUIRE_EACH_INCLUDED_TYPE: requireEach } = environment
  const [, digits] = wholeNumber.exec(length ?? '') ?? []
  if (length && digits === undefined) problems.push('PASSWORD_LENGTH must be a whole number of at most three digits')
  const excluded = Object.entries(classes).flatMap(([name, them]) => (isOn(environment[name] ?? '') ? them : []))
  const exclude = [characters, ...excluded].join('')
  if (!length && exclude === '' && !requireEach) return undefined
  return {
    ...(digits === undefined ? {} : { length: Number(digits) }),
    exclude,
    ...(requireEach ? { requireEach: isOn(requireEach) } : {}),
  }
}
