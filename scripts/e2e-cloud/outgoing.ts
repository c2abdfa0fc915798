import { logsIn } from '../../test/harness/postgres-client.js'
import type { PostgresServer } from '../../test/harness/postgres-server.js'
import { firstPassword } from '../../test/harness/postgres-world.js'
import { type CloudWorld, hourMs, type SecretId } from './world.js'

/** The first login of a secret, and somebody who tries it again and again. */
export class Outgoing {
  #refusedAt: number | undefined
  #graceOver: number | undefined
  readonly #world: CloudWorld
  readonly #server: PostgresServer
  readonly #id: SecretId
  readonly username: string
  constructor(world: CloudWorld, server: PostgresServer, id: SecretId, username: string) {
    this.#world = world
    this.#server = server
    this.#id = id
    this.username = username
  }
  /** Tries it, until it is refused. */
  async look(): Promise<void> {
    if (this.#refusedAt === undefined && !(await logsIn(this.#server, this.username, firstPassword))) this.#refusedAt = this.#world.now()
    const published = this.#world.publishedAt(this.#id)
    if (published !== undefined) this.#graceOver ??= published + hourMs
  }
  /** Whether it was refused, and not before its users had left it and its grace was over. */
  endedAfter = (left = Number.POSITIVE_INFINITY): boolean =>
    this.#refusedAt !== undefined && this.#refusedAt >= Math.max(left, this.#graceOver ?? Number.POSITIVE_INFINITY)
}
