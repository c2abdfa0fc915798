import { checkSwitches, type Environment, type Platform } from '../../shared/app/platform.js'
import type { PasswordWishes } from '../../shared/core/ports/env.js'

/** The names that the vendor's rotation templates know, and the characters that each excludes from new passwords. */
const classes = {
  EXCLUDE_NUMBERS: '0123456789',
  EXCLUDE_PUNCTUATION: '_-',
  EXCLUDE_UPPERCASE: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  EXCLUDE_LOWERCASE: 'abcdefghijklmnopqrstuvwxyz',
} as const
const switchNames = [...Object.keys(classes), 'REQUIRE_EACH_INCLUDED_TYPE']
const switches = Object.fromEntries(switchNames.map((name) => [name, ['true', 'false']]))

function passwordWishes(environment: Environment, problems: string[]): PasswordWishes | undefined {
  checkSwitches(environment, switches, problems)
  const { PASSWORD_LENGTH: length, EXCLUDE_CHARACTERS: characters = '', REQUIRE_EACH_INCLUDED_TYPE: requireEach } = environment
  if (length && !/^\d{1,3}$/.test(length)) problems.push('PASSWORD_LENGTH must be a whole number')
  const excluded = Object.entries(classes).flatMap(([name, them]) => (environment[name] === 'true' ? them : []))
  const exclude = [characters, ...excluded].join('')
  if (!length && exclude === '' && !requireEach) return undefined
  return {
    ...(length ? { length: Number(length) } : {}),
    exclude,
    ...(requireEach ? { requireEach: requireEach === 'true' } : {}),
  }
}

/** What the app must know about AWS. */
export const aws: Platform = {
  isOwn: (ref) => /^(aws|arn):/.test(ref),
  /** Where AWS keeps the authorities of RDS in its Node runtimes; from Node 20 on they are not loaded automatically. */
  authorities: {
    file: '/var/runtime/ca-cert.pem',
    endings: ['.rds.amazonaws.com', '.rds.cn-north-1.amazonaws.com.cn', '.rds.cn-northwest-1.amazonaws.com.cn'],
  },
  passwordWishes,
}
