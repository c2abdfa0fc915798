import { createHash } from 'node:crypto'
import type { Env } from '../../shared/core/ports/env.js'

/** A clock that only moves when told (or slept on), and random bytes from a seed. */
export class FakeEnv implements Env {
  time: number
  readonly lines: { readonly code: string; readonly fields: Readonly<Record<string, string | number>> }[] = []
  readonly abort = new AbortController()
  readonly #seed: string
  #drawn = 0

  constructor(seed = 'seed', time = Date.UTC(2026, 0, 5, 12)) {
    this.#seed = seed
    this.time = time
  }
  /** How far the clock of whoever asks is ahead. */
  aheadMs = (): number => 0
  now = (): number => this.time + this.aheadMs()
  sleep = async (ms: number): Promise<void> => {
    this.time += ms
  }
  random = (bytes: number): Uint8Array => {
    const blocks = Array.from({ length: Math.ceil(bytes / 32) }, () =>
      createHash('sha256')
        .update(`${this.#seed}/${this.#drawn++}`)
        .digest(),
    )
    return Buffer.concat(blocks).subarray(0, bytes)
  }
  log = (code: string, fields: Readonly<Record<string, string | number>>): void => void this.lines.push({ code, fields })
  get cancelled(): AbortSignal {
    return this.abort.signal
  }
}
