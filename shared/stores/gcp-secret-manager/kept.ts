import type { Secret } from './wire.js'

const countMax = 8
const newMsMax = 1000

interface Entry {
  readonly secret: Secret
  readonly at: number
  isNew: boolean
}

/**
 * The secrets as this process read or wrote them last, without their versions. Every write is conditional on the etag, so that an old entry costs a
 * conflict and changes no answer. Few are kept: a process works on one secret at a time.
 */
export class Kept {
  readonly #entries = new Map<string, Entry>()

  /** `new`: until it is taken. */
  keep(secret: Secret, at: number, state?: 'new'): Secret {
    this.#entries.delete(secret.resource)
    this.#entries.set(secret.resource, { secret, at, isNew: state === 'new' })
    for (const resource of this.#entries.keys()) if (this.#entries.size > countMax) this.#entries.delete(resource)
    return secret
  }
  forget(resource: string): void {
    this.#entries.delete(resource)
  }
  last = (resource: string): Secret | undefined => this.#entries.get(resource)?.secret

  /** What is new and was read less than a second ago: a name is resolved and then described. */
  takeNew(resource: string, now: number): Secret | undefined {
    const entry = this.#entries.get(resource)
    if (!entry?.isNew || now - entry.at > newMsMax) return undefined
    entry.isNew = false
    return entry.secret
  }
}
