import { diskError } from '../core/disk-error.js'
import { RotationError, systemCodeOf } from '../core/errors.js'
import { optional } from '../core/optional.js'
import { commonKeys, prefix, renamed } from '../core/policy/index.js'
import type { Env } from '../core/ports/env.js'
import type { Policy } from '../core/ports/words.js'
import { readRegularSync } from '../core/read-file.js'
import { caBytesMax, readCa } from './ca-file.js'
import { checkSwitches, type Environment, type Platform } from './platform.js'

/** The settings of a function from its environment, checked once at its start. */
export interface FunctionConfig {
  readonly env: Pick<Env, 'ca' | 'hostCa' | 'password'>
  /** KEYTURN_POLICY_GRACE=2h and so on; the secret's own policy wins. */
  readonly policy: Policy
  readonly configuration?: string
  readonly journal: boolean
  readonly shortGrace: boolean
}

const switches = { KEYTURN_SHORT_GRACE: ['0', '1'], KEYTURN_JOURNAL: ['on', 'off'] }

/** Reads the settings. bad_config lists every problem at once, those of the platform's own variables too. */
export function readFunctionConfig(environment: Environment, platform: Platform): FunctionConfig {
  const problems: string[] = []
  checkSwitches(environment, switches, problems)
  const own = readCa(environment.KEYTURN_CA_FILE, problems)
  const password = platform.passwordWishes?.(environment, problems)
  const policy = policyOf(environment, problems)
  if (problems.length > 0) {
    throw new RotationError('bad_config', `${problems.join('; ')}.`, {
      field: problems[0]?.split(' ')[0] ?? 'environment',
      next: "Correct the function's environment.",
    })
  }
  const { authorities } = platform
  const pem = own === undefined && authorities ? readAuthorities(authorities.file) : undefined
  return {
    env: {
      ...optional('ca', own),
      ...(authorities && pem !== undefined ? { hostCa: { endings: authorities.endings, pem } } : {}),
      ...optional('password', password),
    },
    policy,
    ...optional('configuration', environment.KEYTURN_CONFIG || undefined),
    journal: environment.KEYTURN_JOURNAL !== 'off',
    shortGrace: environment.KEYTURN_SHORT_GRACE === '1',
  }
}

/** undefined outside a runtime that has the file. */
function readAuthorities(file: string): string | undefined {
  try {
    return readRegularSync(file, caBytesMax)
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCodeOf(cause) ?? '')) return undefined
    throw diskError(cause, { path: file, tried: 'read' })
  }
}

const policyPrefix = 'KEYTURN_POLICY_'

function policyOf(environment: Environment, problems: string[]): Policy {
  const entries: [string, string][] = []
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(policyPrefix) || !value) continue
    const key = name.slice(policyPrefix.length).toLowerCase()
    const wrong = whyNotEntry(key, value)
    if (wrong === undefined) entries.push([prefix + key, value])
    else problems.push(`${name} ${wrong}`)
  }
  return Object.fromEntries(entries)
}

function whyNotEntry(key: string, value: string): string | undefined {
  const now = renamed.get(key)
  if (now !== undefined) return `is now called ${policyPrefix}${now.toUpperCase()}`
  return commonKeys.find((one) => one.name === key)?.check(value)
}
