import type { StoredSecret } from './model.js'

/** What each secret was before each of its writes: what a read still sees that comes from a replica which is behind. */
export class History {
  readonly #before = new Map<string, (StoredSecret | undefined)[]>()

  /** A copy from before a write that was done: undefined for a secret that was not there. */
  keep(name: string, before: StoredSecret | undefined): void {
    this.#before.set(name, [...(this.#before.get(name) ?? []), before])
  }
  clear = (): void => this.#before.clear()
  /** How often a secret was written. */
  writesOf = (name: string): number => this.#before.get(name)?.length ?? 0

  /** All secrets as they were so many writes ago, each by its own count. */
  seen(secrets: ReadonlyMap<string, StoredSecret>, writesAgo: number): ReadonlyMap<string, StoredSecret> {
    const old = new Map(secrets)
    for (const [name, earlier] of this.#before) {
      const then = earlier[Math.max(0, earlier.length - writesAgo)]
      if (then === undefined) old.delete(name)
      else old.set(name, then)
    }
    return old
  }
}
