import type { Secrets, StoredSecret } from './model.js'

/** What each secret was before each of its writes: what a list still shows that comes from a replica which is behind. */
export class History {
  readonly #before = new Map<string, (StoredSecret | undefined)[]>()

  /** What was there before a write that was done: undefined for a secret that was not. */
  keep(vault: string, key: string, before: StoredSecret | undefined): void {
    const place = `${vault}/${key}`
    this.#before.set(place, [...(this.#before.get(place) ?? []), before])
  }
  clear = (): void => this.#before.clear()
  writesOf = (vault: string, key: string): number => this.#before.get(`${vault}/${key}`)?.length ?? 0

  /** The secrets of a vault as they were so many writes ago, each by its own count. */
  seen(vault: string, secrets: Secrets, writesAgo: number): Secrets {
    const old = new Map(secrets)
    for (const [place, earlier] of this.#before) {
      if (!place.startsWith(`${vault}/`)) continue
      const key = place.slice(vault.length + 1)
      const then = earlier[Math.max(0, earlier.length - writesAgo)]
      if (then === undefined) old.delete(key)
      else old.set(key, then)
    }
    return old
  }
}
