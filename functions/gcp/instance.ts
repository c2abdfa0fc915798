import { adminReaderOf } from '../../shared/app/admin.js'
import { FunctionApp } from '../../shared/app/function.js'
import type { Environment } from '../../shared/app/platform.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { Queue } from '../../shared/core/ports/queue.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { gcpOptions } from '../../shared/stores/gcp-secret-manager/environment.js'
import { GcpSecretManager } from '../../shared/stores/gcp-secret-manager.js'
import { gcp } from './platform.js'
import { ending } from './signals.js'
import { tasksFrom } from './tasks.js'

/** What tests replace: the environment, parts of the clock and the like, the store's client, the queue. */
export interface Given {
  readonly environment?: Environment
  readonly env?: Partial<Env>
  readonly openStore?: (env: Env) => GcpSecretManager
  readonly openQueue?: (env: Env) => Queue
}

/** What one invocation works with. */
export interface Invoked {
  readonly deps: Deps
  readonly queue: Queue
}

const timeoutSecondsDefault = 300
/** What remains of the invocation after its rotation must have ended, in milliseconds. */
const marginMs = 10_000

/** A warm instance: opened at its first invocation, which reports wrong settings. Each invocation is a holder of its own. */
export class Instance {
  readonly #given: Given
  #opened: { readonly app: FunctionApp<GcpSecretManager>; readonly queue: Queue } | undefined
  #count = 0
  constructor(given: Given = {}) {
    this.#given = given
  }

  get env(): Env | undefined {
    return this.#opened?.app.env
  }

  /** Begins an invocation. bad_config lists every wrong setting. */
  begin(): Invoked {
    const environment = this.#given.environment ?? process.env
    this.#opened ??= this.#open(environment)
    const { app, queue } = this.#opened
    const { store, env } = app
    const holder = `gcp-${environment.K_REVISION ?? 'local'}-${Buffer.from(env.random(6)).toString('hex')}-${++this.#count}`
    const timeoutMs = 1000 * (Number(environment.CLOUD_RUN_TIMEOUT_SECONDS) || timeoutSecondsDefault)
    const deps = app.deps({ store, readAdmin: adminReaderOf(store), holder, leaseMs: timeoutMs - marginMs, loadNotifier })
    return { deps, queue }
  }

  #open(environment: Environment) {
    const { env = {}, openStore, openQueue } = this.#given
    const open = openStore ?? ((one: Env) => new GcpSecretManager(gcpOptions(environment, one)))
    const app = new FunctionApp(environment, gcp, open, { cancelled: ending.signal, ...env })
    return { app, queue: openQueue?.(app.env) ?? tasksFrom(environment, app.env) }
  }
}
