import type { VersionId } from '../../core/ports/words.js'
import { keyOf, type SecretName } from './names.js'
import type { Valued } from './version.js'

const countMax = 8
const newMsMax = 1000

/**
 * The newest versions that this process read last: a secret is described, and then the value of that version is read. Nothing that is written rests
 * on it.
 */
export class Seen {
  readonly #entries = new Map<string, { readonly version: Valued; readonly at: number }>()

  keep(name: SecretName, version: Valued, at: number): Valued {
    this.#entries.delete(keyOf(name))
    this.#entries.set(keyOf(name), { version, at })
    for (const key of this.#entries.keys()) if (this.#entries.size > countMax) this.#entries.delete(key)
    return version
  }
  forget(name: SecretName): void {
    this.#entries.delete(keyOf(name))
  }
  /** The value of a version does not change; that it may still be read is known for a second. */
  value(name: SecretName, id: VersionId, now: number): Valued | undefined {
    const entry = this.#entries.get(keyOf(name))
    return entry?.version.id === id && now - entry.at <= newMsMax ? entry.version : undefined
  }
  /** However long ago: for a check that is made again before anything is written. */
  last = (name: SecretName): Valued | undefined => this.#entries.get(keyOf(name))?.version
}
