import { adminReaderOf } from '../../shared/app/admin.js'
import { bury, type Carried } from '../../shared/app/dead-letter.js'
import type { Environment } from '../../shared/app/platform.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { Queue } from '../../shared/core/ports/queue.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { type Given, type Opened, openInstance } from './opened.js'

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
  #opened: Opened | undefined
  #count = 0
  constructor(given: Given = {}) {
    this.#given = given
  }

  get env(): Env | undefined {
    return this.#opened?.app.env
  }

  /** Reads the settings, and refuses to run where everybody may call this function. bad_config lists every wrong setting; denied. */
  async assertPrivate(): Promise<void> {
    await this.#kept().check?.assert()
  }

  /** Ends a message that nobody can read. Throws any other cause, and what keeps the letter from being put down. */
  async bury(cause: unknown, message: Carried): Promise<void> {
    const { app, letters } = this.#kept()
    await bury(cause, message, letters, app.env)
  }

  /** Begins an invocation. bad_config lists every wrong setting. */
  begin(): Invoked {
    const environment = this.environment
    const { app, queue } = this.#kept()
    const { store, env } = app
    const holder = `gcp-${environment.K_REVISION ?? 'local'}-${Buffer.from(env.random(6)).toString('hex')}-${++this.#count}`
    const timeoutMs = 1000 * (Number(environment.CLOUD_RUN_TIMEOUT_SECONDS) || timeoutSecondsDefault)
    const deps = app.deps({ store, readAdmin: adminReaderOf(store), holder, leaseMs: timeoutMs - marginMs, loadNotifier })
    return {
      deps,
      get queue() {
        return queue()
      },
    }
  }

  get environment(): Environment {
    return this.#given.environment ?? process.env
  }
  #kept(): Opened {
    this.#opened ??= openInstance(this.#given, this.environment)
    return this.#opened
  }
}
