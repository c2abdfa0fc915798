import { systemEnv } from '../core/env.js'
import { RotationError } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import type { SecretStore } from '../core/ports/store.js'
import type { SecretText } from '../core/secret-text.js'
import type { AuditSink } from '../lifecycle/guard/index.js'
import type { Configuration, Deps } from '../lifecycle/secret/deps.js'
import { loadRotator } from '../rotators/registry.js'
import { ConfigurationSource, withoutConfiguration } from './configuration.js'
import { type FunctionConfig, readFunctionConfig } from './function-config.js'
import { logLine } from './function-log.js'
import { inferPolicy } from './infer.js'
import type { Environment, Platform } from './platform.js'

/** What differs from call to call. `loadNotifier`: absent where a function tells nobody. */
export interface Invocation extends Pick<Deps, 'store' | 'holder' | 'readAdmin'>, Partial<Pick<Deps, 'loadNotifier'>> {
  readonly leaseMs: number
  readonly sensitive?: readonly SecretText[]
}
const leaseMsMax = 15 * 60_000

/** What a warm instance keeps: its configuration, one client, and what that has learned. It is made at the first call, which reports wrong settings. */
export class FunctionApp<S extends SecretStore> {
  readonly env: Env
  readonly store: S
  readonly #config: FunctionConfig
  readonly #platform: Platform
  readonly #configuration: () => Promise<Configuration>

  /** `given` replaces the clock and the like. */
  constructor(environment: Environment, platform: Platform, open: (env: Env) => S, given: Partial<Env> = {}) {
    this.#platform = platform
    this.#config = readFunctionConfig(environment, platform)
    this.env = { ...systemEnv({ ...this.#config.env, log: logLine }), ...given }
    this.store = open(this.env)
    this.#configuration = this.#configurationOf(this.#config.configuration)
  }

  #configurationOf(name: string | undefined): () => Promise<Configuration> {
    if (name === undefined) return withoutConfiguration
    const source = new ConfigurationSource(async () => {
      const { value } = await this.store.readCurrent(name)
      return value
    }, this.env)
    return () => source.get()
  }

  deps({ leaseMs, ...invocation }: Invocation): Deps {
    return {
      ...invocation,
      leaseMs: Math.min(leaseMs, leaseMsMax),
      loadRotator,
      infer: inferPolicy,
      environment: this.#config.policy,
      configuration: this.#configuration,
      loadNotifier: invocation.loadNotifier ?? tellsNobody,
      openPlace: async ({ name, at }) => {
        this.#assertOwn(name, at)
        // Without the token of this rotation, which is only for the rotated secret.
        return { deps: this.deps({ ...invocation, store: this.store, leaseMs }) }
      },
      journal: this.#config.journal,
      env: this.env,
      audit,
      shortGrace: this.#config.shortGrace,
    }
  }

  /** A function reaches one cloud's store and no other. */
  #assertOwn(name: string, at: string): void {
    if (this.#platform.isOwn(at)) return
    throw new RotationError('bad_config', `The companion ${name} (${at}) is not in this function's store.`, {
      field: `companions.${name}.at`,
      next: 'Name a secret of the same store. A copy or a login may also have "order": "after"; keyturn sweep then writes it.',
    })
  }
}

/** The sweep announces, so the bundle of a function that only rotates holds no notifier. */
const tellsNobody: Deps['loadNotifier'] = async (kind) => {
  throw new RotationError('bad_config', `This function cannot tell consumers of kind ${kind}.`, {
    next: 'Run keyturn sweep where consumers can be reached.',
  })
}

const audit: AuditSink = {
  write: async (record) => void process.stderr.write(`${JSON.stringify({ log: 'audit', ...record })}\n`),
}
