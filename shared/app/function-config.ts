import { readFileSync } from 'node:fs'
import { RotationError, systemCodeOf } from '../core/errors.js'
import { optional } from '../core/optional.js'
import { commonKeys, prefix } from '../core/policy/index.js'
import type { Env, PasswordWishes } from '../core/ports/env.js'
import type { Policy } from '../core/ports/words.js'
import { readCa } from './ca-file.js'

/** What the environment of a function says, checked once at its start. */
export interface FunctionConfig {
  readonly aws: { readonly endpoint?: string }
  readonly env: Pick<Env, 'ca' | 'hostCa' | 'password'>
  /** KEYTURN_POLICY_GRACE=2h and so on: under what a secret says itself. */
  readonly policy: Policy
  readonly configuration?: string
  readonly journal: boolean
  readonly shortGrace: boolean
}
type Environment = Readonly<Record<string, string | undefined>>

/** Where AWS keeps the authorities of RDS in its Node runtimes; from Node 20 on they are not loaded by themselves. */
const runtimeCa = '/var/runtime/ca-cert.pem'
const rdsEndings = ['.rds.amazonaws.com', '.rds.cn-north-1.amazonaws.com.cn', '.rds.cn-northwest-1.amazonaws.com.cn']

/** bad_config that lists every problem at once. `ca`: where the platform keeps its authorities, and for which hosts. */
export function readFunctionConfig(environment: Environment, ca = { file: runtimeCa, endings: rdsEndings }): FunctionConfig {
  const problems: string[] = []
  for (const [name, allowed] of Object.entries(switches)) {
    const value = environment[name]
    if (value !== undefined && value !== '' && !allowed.includes(value)) problems.push(`${name} must be one of ${allowed.join(', ')}`)
  }
  const own = readCa(environment.KEYTURN_CA_FILE, problems)
  const password = wishesOf(environment, problems)
  const policy = policyOf(environment, problems)
  if (problems.length > 0) {
    throw new RotationError('bad_config', `${problems.join('; ')}.`, {
      field: problems[0]?.split(' ')[0] ?? 'environment',
      next: "Correct the function's environment.",
    })
  }
  const platform = own === undefined ? readPlatformCa(ca.file) : undefined
  return {
    aws: environment.SECRETS_MANAGER_ENDPOINT ? { endpoint: environment.SECRETS_MANAGER_ENDPOINT } : {},
    env: {
      ...optional('ca', own),
      ...(platform === undefined ? {} : { hostCa: { endings: ca.endings, pem: platform } }),
      ...optional('password', password),
    },
    policy,
    ...optional('configuration', environment.KEYTURN_CONFIG || undefined),
    journal: environment.KEYTURN_JOURNAL !== 'off',
    shortGrace: environment.KEYTURN_SHORT_GRACE === '1',
  }
}

const yesOrNo = ['true', 'false']
const switches: Readonly<Record<string, readonly string[]>> = {
  KEYTURN_SHORT_GRACE: ['0', '1'],
  KEYTURN_JOURNAL: ['on', 'off'],
  EXCLUDE_NUMBERS: yesOrNo,
  EXCLUDE_PUNCTUATION: yesOrNo,
  EXCLUDE_UPPERCASE: yesOrNo,
  EXCLUDE_LOWERCASE: yesOrNo,
  REQUIRE_EACH_INCLUDED_TYPE: yesOrNo,
}

/** undefined outside such a runtime: then the list of Node stands. */
function readPlatformCa(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCodeOf(cause) ?? '')) return undefined
    throw cause
  }
}

const classes = {
  EXCLUDE_NUMBERS: '0123456789',
  EXCLUDE_PUNCTUATION: '_-',
  EXCLUDE_UPPERCASE: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  EXCLUDE_LOWERCASE: 'abcdefghijklmnopqrstuvwxyz',
} as const

/** The names that the vendor's templates know; undefined where none is set. */
function wishesOf(environment: Environment, problems: string[]): PasswordWishes | undefined {
  const length = environment.PASSWORD_LENGTH
  if (length && !/^\d{1,3}$/.test(length)) problems.push('PASSWORD_LENGTH must be a whole number')
  const excluded = Object.entries(classes).flatMap(([name, characters]) => (environment[name] === 'true' ? characters : []))
  const exclude = [environment.EXCLUDE_CHARACTERS ?? '', ...excluded].join('')
  const requireEach = environment.REQUIRE_EACH_INCLUDED_TYPE
  if (!length && exclude === '' && !requireEach) return undefined
  return {
    ...(length ? { length: Number(length) } : {}),
    exclude,
    ...(requireEach ? { requireEach: requireEach === 'true' } : {}),
  }
}

const policyPrefix = 'KEYTURN_POLICY_'

function policyOf(environment: Environment, problems: string[]): Policy {
  const entries: [string, string][] = []
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(policyPrefix) || !value) continue
    const key = name.slice(policyPrefix.length).toLowerCase()
    const wrong = commonKeys.find((one) => one.name === key)?.check(value)
    if (wrong === undefined) entries.push([prefix + key, value])
    else problems.push(`${name} ${wrong}`)
  }
  return Object.fromEntries(entries)
}
