import { crc32 } from 'node:zlib'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { draw } from '../../core/alphabets.js'
import { defaultRule, generatePassword } from '../../core/password.js'
import type { Env } from '../../core/ports/env.js'
import { newUuid, withoutHyphen } from '../../core/spelling.js'

/** How long keys of a form may be. */
export interface Size {
  readonly least: number
  readonly most: number
  readonly default: number
  readonly of: 'bytes' | 'words'
}
/** How a key looks. `size`: bytes of randomness, or words of a passphrase; undefined where the form has only one length. */
export interface Form {
  readonly title: string
  readonly size?: Size
  /** What a key of this form begins with. */
  prefix?(wished: string): string
  /** The characters after the prefix, without padding. */
  readonly characters: RegExp
  make(random: Env['random'], size: number, prefix: string): string
  /** Whether a text has this form. Its length does not count, because the wished length may have changed since. */
  has(text: string, prefix: string): boolean
}

const bytes = { least: 16, most: 256, default: 32, of: 'bytes' } as const
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const bodyLength = 30
const checkLength = 6
const cookieLength = 32

/** CRC-32 of the text, in six digits of base 62. By them a scanner tells a key from chance, and a typo is refused without asking anybody. */
export function checkDigits(text: string): string {
  let rest = crc32(text)
  let out = ''
  for (let count = 0; count < checkLength; count++) {
    out = digits[rest % 62] + out
    rest = Math.floor(rest / 62)
  }
  return out
}

function wordAt([high = 0, low = 0]: Uint8Array): string {
  const number = (high << 8) | low
  return wordlist[number % wordlist.length] ?? ''
}

/** Whether the last digits of a text check the rest of it. */
const isChecked = (text: string): boolean => checkDigits(text.slice(0, -checkLength)) === text.slice(-checkLength)

/** The forms that a key may have, by the name that the policy uses. */
export const forms = {
  token: {
    title: 'base64url without padding, for a Bearer header (RFC 6750)',
    size: bytes,
    characters: /^[A-Za-z0-9_-]*$/,
    make: (random, size) => withoutHyphen(() => Buffer.from(random(size)).toString('base64url')),
    has: (text) => /^[A-Za-z0-9_-]{22,}$/.test(text),
  },
  'api-key': {
    title: 'prefix, 30 characters of base 62 (178 bits), and 6 check digits',
    prefix: (wished) => `${wished}_`,
    characters: /^[A-Za-z0-9]*$/,
    make: (random, _size, prefix) => {
      const body = `${prefix}_${draw(digits, bodyLength, random)}`
      return body + checkDigits(body)
    },
    has: (text, prefix) => text.startsWith(`${prefix}_`) && isChecked(text),
  },
  webhook: {
    title: 'whsec_ and base64, as Standard Webhooks has it',
    size: { ...bytes, least: 24, most: 64 },
    prefix: () => 'whsec_',
    characters: /^[A-Za-z0-9+/]*$/,
    make: (random, size) => `whsec_${Buffer.from(random(size)).toString('base64')}`,
    has: (text) => /^whsec_[A-Za-z0-9+/]{32,}={0,2}$/.test(text),
  },
  cookie: {
    title: '32 capital letters (150 bits), as an Erlang node takes it',
    characters: /^[A-Z]*$/,
    make: (random) => draw('ABCDEFGHIJKLMNOPQRSTUVWXYZ', cookieLength, random),
    has: (text) => /^[A-Za-z0-9_@]{1,255}$/.test(text),
  },
  uuid: {
    title: 'version 4 (RFC 9562), 122 bits',
    characters: /^[0-9a-f-]*$/i,
    make: newUuid,
    has: (text) => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(text),
  },
  passphrase: {
    title: 'English words of a list of 2,048 (11 bits each), with hyphens',
    size: { least: 12, most: 24, default: 12, of: 'words' },
    characters: /^[a-z-]*$/,
    make: (random, size) => Array.from({ length: size }, () => wordAt(random(2))).join('-'),
    has: (text) => /^[a-z]+(-[a-z]+)*$/.test(text),
  },
  hex: {
    title: 'hexadecimal, an exact number of bytes',
    size: bytes,
    characters: /^(?:[0-9a-f]*|[0-9A-F]*)$/,
    make: (random, size) => Buffer.from(random(size)).toString('hex'),
    has: (text) => /^([0-9a-f]{2})+$/i.test(text),
  },
  base64: {
    title: 'base64 with padding, an exact number of bytes',
    size: bytes,
    characters: /^[A-Za-z0-9+/]*$/,
    make: (random, size) => Buffer.from(random(size)).toString('base64'),
    has: (text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text),
  },
  fernet: {
    title: 'base64url with padding, an exact number of bytes; 32 bytes are a Fernet key of 44 characters',
    size: bytes,
    characters: /^[A-Za-z0-9_-]*$/,
    make: (random, size) => withoutHyphen(() => Buffer.from(random(size)).toString('base64url') + '='.repeat((3 - (size % 3)) % 3)),
    has: (text) => text.length % 4 === 0 && /^[A-Za-z0-9_-]+={0,2}$/.test(text),
  },
  password: {
    title: 'as the passwords of databases: 32 of A-Z a-z 0-9 _ -, beginning with a letter',
    characters: /^[A-Za-z0-9_-]*$/,
    make: (random) => generatePassword(defaultRule, random),
    has: (text) => text.length > 0,
  },
} as const satisfies Record<string, Form>

/** What keyturn-form may be. */
export type FormName = keyof typeof forms
/** All of them, in the order of the table. */
export const formNames = Object.keys(forms) as FormName[]
