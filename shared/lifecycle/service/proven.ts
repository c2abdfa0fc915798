import type { SecretRef, Token, VersionId } from '../../core/ports/words.js'

/** Which value of which rotation. A test says nothing about the same value once another version is current. */
export interface Tested {
  readonly token: Token
  readonly version?: VersionId
  readonly base: VersionId | null
}

/** What one instance has tested itself: for each secret the last value that was accepted, and when. It holds no value. */
export class Proven {
  readonly #last = new Map<string, Tested & { readonly at: number }>()

  keep(ref: SecretRef, { token, version, base }: Tested, at: number): void {
    if (version === undefined) return
    if (this.#last.size >= keptMax) this.#last.clear()
    this.#last.set(keyOf(ref), { token, version, base, at })
  }

  forget(ref: SecretRef): void {
    this.#last.delete(keyOf(ref))
  }

  /** Whether exactly this was tested, and not longer ago than an invocation may live. */
  has(ref: SecretRef, { token, version, base }: Tested, now: number): boolean {
    const last = this.#last.get(keyOf(ref))
    if (last === undefined || now - last.at >= keptMsMax) return false
    return last.token === token && last.version === version && last.base === base
  }
}
const keptMsMax = 15 * 60_000
const keptMax = 1000

const keyOf = ({ store, key }: SecretRef): string => `${store}:${key}`
