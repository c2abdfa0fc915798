/** What runs in a process that may be asked to end: it comes to the border of a step, and nothing is cut off in the middle of one. */
export class Running {
  readonly #ending = new AbortController()
  readonly #waiting: (() => void)[] = []
  #count = 0

  /** Fires when the process is asked to end. */
  get signal(): AbortSignal {
    return this.#ending.signal
  }

  /** Counts as running until `act` is over. */
  async until<T>(act: () => Promise<T>): Promise<T> {
    this.#count++
    try {
      return await act()
    } finally {
      this.#count--
      if (this.#count === 0) for (const over of this.#waiting.splice(0)) over()
    }
  }

  /** Asks what runs to end, and waits for it. */
  async end(): Promise<void> {
    this.#ending.abort()
    if (this.#count > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}
