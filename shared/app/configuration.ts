import * as v from 'valibot'
import { codeOf, messageOf, RotationError } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import { SecretText } from '../core/secret-text.js'
import { type Configuration, noConfiguration } from '../lifecycle/deps.js'
import { configForm, policyOf } from './config-form.js'

/** bad_config that lists every problem by its path. The text may hold keys: it is never quoted. */
export function parseConfiguration(text: SecretText): Configuration {
  const result = v.safeParse(configForm, jsonOf(text))
  if (!result.success) {
    const problems = result.issues.map((issue) => `${v.getDotPath(issue) ?? 'the object'} ${sayOf(issue)}`)
    throw new RotationError('bad_config', `The configuration is wrong: ${problems.join('; ')}.`, {
      field: v.getDotPath(result.issues[0]) ?? 'KEYTURN_CONFIG',
      next: 'Correct it, try it with keyturn config check -f FILE, then put it again. keyturn schema config prints what is allowed.',
    })
  }
  const { targets, defaults, freezes, paused } = result.output
  return {
    targets: Object.fromEntries(
      Object.entries(targets).map(([key, { kind, required, ...settings }]) => [
        key,
        { key, kind, required, settings: new SecretText(JSON.stringify(settings)) },
      ]),
    ),
    defaults: Object.fromEntries(Object.entries(defaults).map(([type, entries]) => [type, policyOf(entries ?? {})])),
    freezes: freezes.map(({ from, to, reason }) => ({ from: Date.parse(from), to: Date.parse(to), reason })),
    paused,
  }
}

/** Valibot's own message quotes what it received, which may be a key. */
const sayOf = (issue: v.BaseIssue<unknown>): string => {
  if (issue.type === 'strict_object') return 'is unknown'
  const own = issue.message.startsWith('Invalid ') ? undefined : issue.message
  return (
    own ?? (issue.received === 'undefined' ? 'is missing' : `must be ${issue.expected ?? `a valid ${issue.type.replaceAll('_', ' ')}`}`)
  )
}

function jsonOf(text: SecretText): object {
  const refuse = (why: string): never => {
    throw new RotationError('bad_config', `The configuration is ${why}.`, {
      field: 'KEYTURN_CONFIG',
      next: 'Correct it, then put it again.',
    })
  }
  try {
    const value: unknown = JSON.parse(text.reveal())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : refuse('no JSON object')
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    return refuse(`no well-formed JSON${/ at position \d+/.exec(cause.message)?.[0] ?? ''}`)
  }
}

const refreshMs = 5 * 60_000

/**
 * Read when it is first needed, and again after five minutes. A new version that is broken or cannot be read keeps the last good one and says
 * so; without a good one there is none to keep, and the error is the answer.
 */
export class ConfigurationSource {
  readonly #read: () => Promise<SecretText>
  readonly #env: Env
  #good: Configuration | undefined
  #readAt = Number.NEGATIVE_INFINITY

  constructor(read: () => Promise<SecretText>, env: Env) {
    this.#read = read
    this.#env = env
  }

  async get(): Promise<Configuration> {
    const now = this.#env.now()
    if (this.#good !== undefined && now - this.#readAt < refreshMs) return this.#good
    try {
      this.#good = parseConfiguration(await this.#read())
    } catch (cause) {
      if (this.#good === undefined) throw cause
      this.#env.log('config_kept', { code: codeOf(cause) ?? 'internal', why: messageOf(cause) })
    }
    this.#readAt = now
    return this.#good
  }
}

/** Where no configuration secret is named. */
export const withoutConfiguration = async (): Promise<Configuration> => noConfiguration
