import type { DeadLetters } from '../core/ports/dead-letters.js'
import type { Env } from '../core/ports/env.js'
import type { Queue } from '../core/ports/queue.js'
import type { SecretStore } from '../core/ports/store.js'
import type { Deps } from '../lifecycle/secret/deps.js'
import { loadNotifier } from '../notifiers/registry.js'
import { adminReaderOf } from './admin.js'
import { bury, type Carried } from './dead-letter.js'
import type { FunctionApp } from './function.js'

/** What one invocation works with. */
export interface Invoked {
  readonly deps: Deps
  readonly queue: Queue
}
/** What a warm instance keeps. */
export interface Kept {
  readonly app: FunctionApp<SecretStore & Required<Pick<SecretStore, 'tags'>>>
  /** Opened where it is first used: who sends nothing needs no settings for it. */
  readonly queue: () => Queue
  readonly letters: DeadLetters | undefined
  /** Refuses to run where it must not. denied, unavailable. */
  readonly assertMayRun?: () => Promise<void>
}
/** How a platform runs one. */
export interface Runtime {
  /** bad_config lists every wrong setting. */
  open(): Kept
  /** Who holds what is claimed, before a random part: gcp-REVISION. */
  holder(): string
  /** How long one invocation may live, in milliseconds. */
  timeoutMs(): number
}

/** What remains of the invocation after its rotation must have ended, in milliseconds. */
const marginMs = 10_000

/** A warm instance: opened at its first invocation, which reports wrong settings. Each invocation is a holder of its own. */
export class WarmInstance {
  readonly #runtime: Runtime
  #opened: Kept | undefined
  #count = 0
  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  get env(): Env | undefined {
    return this.#opened?.app.env
  }

  /** Reads the settings, and refuses to run where it must not. bad_config lists every wrong setting; denied. */
  async assertMayRun(): Promise<void> {
    await this.#kept().assertMayRun?.()
  }

  /** Ends a message that nobody can read. Throws any other cause, and what keeps the letter from being put down. */
  async bury(cause: unknown, message: Carried): Promise<void> {
    const { app, letters } = this.#kept()
    await bury(cause, message, letters, app.env)
  }

  /** Begins an invocation. bad_config lists every wrong setting. */
  begin(): Invoked {
    const { app, queue } = this.#kept()
    const { store, env } = app
    const holder = `${this.#runtime.holder()}-${Buffer.from(env.random(6)).toString('hex')}-${++this.#count}`
    const leaseMs = this.#runtime.timeoutMs() - marginMs
    const deps = app.deps({ store, readAdmin: adminReaderOf(store), holder, leaseMs, loadNotifier })
    return {
      deps,
      get queue() {
        return queue()
      },
    }
  }

  #kept(): Kept {
    this.#opened ??= this.#runtime.open()
    return this.#opened
  }
}
