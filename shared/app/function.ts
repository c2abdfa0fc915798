import { systemEnv } from '../core/env.js'
import { RotationError } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import type { SecretStore } from '../core/ports/store.js'
import type { SecretText } from '../core/secret-text.js'
import type { Configuration, Deps } from '../lifecycle/deps.js'
import type { AuditSink } from '../lifecycle/guard/index.js'
import { loadRotator } from '../rotators/registry.js'
import { ConfigurationSource, withoutConfiguration } from './configuration.js'
import { type FunctionConfig, readFunctionConfig } from './function-config.js'
import { inferPolicy } from './infer.js'

type Admin = Awaited<ReturnType<Deps['readAdmin']>>
/** What differs from call to call. */
export interface Invocation extends Pick<Deps, 'store' | 'holder' | 'readAdmin'> {
  readonly leaseMs: number
  readonly sensitive?: readonly SecretText[]
}
interface CurrentReader {
  readCurrent(ref: string): Promise<Admin>
}
const leaseMsMax = 15 * 60_000

/** What a warm instance keeps: its configuration, one client, and what that has learned. Made at the first call, so that a wrong setting is an answer. */
export class FunctionApp<S extends SecretStore & CurrentReader> {
  readonly env: Env
  readonly store: S
  readonly #config: FunctionConfig
  readonly #configuration: () => Promise<Configuration>

  /** `given`: a clock of its own, for tests. */
  constructor(
    environment: Readonly<Record<string, string | undefined>>,
    open: (config: FunctionConfig, env: Env) => S,
    given: Partial<Env> = {},
  ) {
    this.#config = readFunctionConfig(environment)
    this.env = { ...systemEnv({ ...this.#config.env, log: logLine }), ...given }
    this.store = open(this.#config, this.env)
    const { configuration } = this.#config
    const source = new ConfigurationSource(async () => (await this.store.readCurrent(configuration ?? '')).value, this.env)
    this.#configuration = configuration === undefined ? withoutConfiguration : () => source.get()
  }

  deps({ leaseMs, ...invocation }: Invocation): Deps {
    return {
      ...invocation,
      leaseMs: Math.min(leaseMs, leaseMsMax),
      loadRotator,
      infer: inferPolicy,
      environment: this.#config.policy,
      configuration: this.#configuration,
      loadNotifier: tellsNobody,
      journal: this.#config.journal,
      env: this.env,
      audit,
      shortGrace: this.#config.shortGrace,
    }
  }
}

/** Announcing is the sweep's: no notifier is in the bundle of a function that only rotates. */
const tellsNobody: Deps['loadNotifier'] = async (kind) => {
  throw new RotationError('bad_config', `This function tells no target of kind ${kind}.`, {
    next: 'Run keyturn sweep where targets can be reached.',
  })
}

/** One structured line, where the platform collects them. */
const logLine: Env['log'] = (code, fields) => void process.stderr.write(`${JSON.stringify({ log: code, ...fields })}\n`)
const audit: AuditSink = {
  write: async (record) => void process.stderr.write(`${JSON.stringify({ log: 'audit', ...record })}\n`),
}

/**
 * What leaves a handler: the code, what happened and the next step, and no stack or cause, which may hold anything. The code is the error's name, so
 * that the platform's own log and alarms can tell one from another. The detail goes into the log.
 */
export function answerOf(cause: unknown, env: Env | undefined): Error {
  const known = cause instanceof RotationError ? cause : undefined
  const code = known?.code ?? 'internal'
  const kind = cause instanceof Error ? cause.name : typeof cause
  const message = known === undefined ? `An unexpected ${kind} ended the call.` : `${known.message} ${known.next}`
  const log = env?.log ?? logLine
  log('step_failed', { code, message, ...(known?.field === undefined ? {} : { field: known.field }), ...causeOf(known) })
  const answer = new Error(`${code}: ${message}`)
  answer.name = code
  answer.stack = `${code}: ${message}`
  return answer
}

/** The guard has cleaned it. */
const causeOf = (known: RotationError | undefined): { readonly cause?: string } =>
  known?.cause instanceof Error ? { cause: `${known.cause.name}: ${known.cause.message}` } : {}
