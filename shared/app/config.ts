import { homedir } from 'node:os'
import { join } from 'node:path'
import { RotationError, systemCodeOf } from '../core/errors.js'
import { optional } from '../core/optional.js'
import { SecretText } from '../core/secret-text.js'
import { readCa } from './ca-file.js'

/** The settings of the process, checked once at its start. */
export interface Config {
  readonly home: string
  readonly key?: SecretText
  readonly keyFile: string
  /** A path, or `stderr`. */
  readonly audit: string
  /** The configuration secret: consumers, freezes, defaults. */
  readonly configuration?: string
  /** False: this identity may not write notes beside a secret. */
  readonly journal: boolean
  readonly shortGrace: boolean
  /** Where each store finds its own settings; the key of the file store is not among them. */
  readonly environment: Environment
  /** PEM text of KEYTURN_CA_FILE. */
  readonly ca?: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** Reads the settings; flags win over the environment. bad_config lists every problem at once. */
export function readConfig({ KEYTURN_KEY: key, ...environment }: Environment, flags: { readonly home?: string } = {}): Config {
  const problems: string[] = []
  const short = environment.KEYTURN_SHORT_GRACE
  if (short !== undefined && !['', '0', '1'].includes(short)) problems.push('KEYTURN_SHORT_GRACE must be 1 or unset')
  const journal = environment.KEYTURN_JOURNAL
  if (journal !== undefined && !['', 'on', 'off'].includes(journal)) problems.push('KEYTURN_JOURNAL must be off, on or unset')
  if (flags.home === '') problems.push('--home names no folder')
  const home = flags.home ?? (environment.KEYTURN_HOME || usualHome(problems))
  const ca = readCa(environment.KEYTURN_CA_FILE, problems)
  if (problems.length > 0) {
    throw new RotationError('bad_config', `${problems.join('; ')}.`, {
      field: problems[0]?.split(' ')[0] ?? 'environment',
      next: 'Correct the environment, then run the same command again.',
    })
  }
  return {
    home,
    keyFile: environment.KEYTURN_KEY_FILE || join(home, 'key'),
    audit: environment.KEYTURN_AUDIT || join(home, 'audit.jsonl'),
    shortGrace: short === '1',
    journal: journal !== 'off',
    environment,
    ...optional('configuration', environment.KEYTURN_CONFIG || undefined),
    ...(key ? { key: new SecretText(key) } : {}),
    ...optional('ca', ca),
  }
}

/** Not every user has a home directory: a container may run as a number that nobody entered anywhere. */
function usualHome(problems: string[]): string {
  try {
    return join(homedir(), '.keyturn')
  } catch (cause) {
    if (systemCodeOf(cause) === undefined) throw cause
    problems.push('KEYTURN_HOME is not set, and this user has no home directory')
    return ''
  }
}
