import type { Env } from '../../core/ports/env.js'

/** The service promises two writes a second for each secret (AddSecretVersion and UpdateSecret together), and one for the state of each version. */
const paceMs = { secret: 500, version: 1000 } as const

/** Keeps the writes to one thing apart. It knows only the writes of this process; the others meet RESOURCE_EXHAUSTED, and are repeated. */
export class Pace {
  readonly #env: Env
  /** When each may be written again. */
  readonly #free = new Map<string, number>()
  constructor(env: Env) {
    this.#env = env
  }

  /** Waits until the secret or the version may be written again. */
  async wait(what: keyof typeof paceMs, resource: string): Promise<void> {
    for (const [name, at] of this.#free) if (at <= this.#env.now()) this.#free.delete(name)
    const waitMs = (this.#free.get(resource) ?? 0) - this.#env.now()
    if (waitMs > 0) await this.#env.sleep(Math.min(paceMs[what], waitMs), 'to the end')
    this.#free.set(resource, this.#env.now() + paceMs[what])
  }
}
