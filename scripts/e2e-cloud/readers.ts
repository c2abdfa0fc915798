import { setTimeout as delay } from 'node:timers/promises'
import { logsIn } from '../../test/harness/postgres-client.js'
import type { PostgresServer } from '../../test/harness/postgres-server.js'
import { type CloudWorld, type SecretId, secretIds } from './world.js'

/** Who reads the secrets without pause, by the newest version and by aliases. Each login of the database that they see is tried at once: it must log in. */
export class Readers {
  reads = 0
  failed = 0
  untestedVisible = 0
  /** Every text that was ever visible, by secret. */
  readonly seen = new Map<string, Set<string>>(secretIds.map((id) => [id, new Set()]))
  readonly #world: CloudWorld
  readonly #server: PostgresServer
  readonly #trials: Promise<void>[] = []
  #isEnding = false
  #running: Promise<void> | undefined
  constructor(world: CloudWorld, server: PostgresServer) {
    this.#world = world
    this.#server = server
  }
  start(): void {
    this.#running = this.#run()
  }
  async end(): Promise<void> {
    this.#isEnding = true
    await this.#running
    await Promise.all(this.#trials)
  }

  /** Everybody reads once. Also called at each message of the service, in the moment in which something has changed. */
  look(): void {
    for (const id of secretIds) {
      for (const version of [undefined, ...this.#world.aliasesOf(id)]) this.#read(id, version)
    }
  }
  async #run(): Promise<void> {
    while (!this.#isEnding) {
      this.look()
      await delay(5)
    }
  }
  #read(id: SecretId, version: string | undefined): void {
    this.reads++
    try {
      const text = this.#world.read(id, version)
      const known = this.seen.get(id)
      if (known?.has(text)) return
      known?.add(text)
      if (id === 'db' || id === 'pods') this.#trials.push(this.#try(text))
    } catch {
      this.failed++
    }
  }
  async #try(text: string): Promise<void> {
    const { username, password } = JSON.parse(text) as { username: string; password: string }
    if (!(await logsIn(this.#server, username, password))) this.untestedVisible++
  }
}
