import type { Code } from './errors.js'

/** What is left of a message that nobody can read: where it came from, and nothing that it holds. */
export interface DeadLetter {
  readonly code: Code
  readonly from: 'queue' | 'events'
  /** The id that the carrier gave the message, where it gave one. */
  readonly id?: string
  /** Which field was not readable. */
  readonly field?: string
  readonly bytes: number
  /** When it was received, in epoch milliseconds. */
  readonly at: number
}

/** Where such messages end. */
export interface DeadLetters {
  /** At least once. unavailable, throttled, denied, bad_config: then the message itself is to be delivered again. */
  put(letter: DeadLetter): Promise<void>
}
