import type { VersionId } from '../../core/ports/words.js'
import { keyOf, type SecretName } from './names.js'
import type { Valued } from './version.js'

const countMax = 8
const newMsMax = 1000

interface Entry {
  readonly version: Valued
  readonly at: number
  isNew: boolean
}

/**
 * The newest versions that this process read last: a name is resolved, then described, and then its value is read, all within a moment. Nothing that is written
 * rests on it.
 */
export class Seen {
  readonly #entries = new Map<string, Entry>()

  /** `isFirst`: somebody will ask again in a moment. */
  keep(name: SecretName, version: Valued, at: number, isFirst: boolean): Valued {
    this.#entries.delete(keyOf(name))
    this.#entries.set(keyOf(name), { version, at, isNew: isFirst })
    for (const key of this.#entries.keys()) if (this.#entries.size > countMax) this.#entries.delete(key)
    return version
  }
  forget(name: SecretName): void {
    this.#entries.delete(keyOf(name))
  }
  /** What was read less than a second ago, once. */
  takeNew(name: SecretName, now: number): Valued | undefined {
    const entry = this.#entries.get(keyOf(name))
    if (!entry?.isNew || now - entry.at > newMsMax) return undefined
    entry.isNew = false
    return entry.version
  }
  /** The value of a version does not change. */
  value(name: SecretName, id: VersionId, now: number): Valued | undefined {
    const entry = this.#entries.get(keyOf(name))
    return entry?.version.id === id && now - entry.at <= newMsMax ? entry.version : undefined
  }
  /** However long ago: for a check that is made again before anything is written. */
  last = (name: SecretName): Valued | undefined => this.#entries.get(keyOf(name))?.version
}
