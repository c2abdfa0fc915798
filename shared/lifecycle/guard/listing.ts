import { type Guard, type GuardedCall, wrappedError } from './guarded.js'

/**
 * A listing fails as a call would, and is not begun again. Where the reader stops early, the store lets go of what it holds open. It costs no promise beside
 * those of the store: a fleet may have 100,000 secrets.
 */
export async function* guardedListing<T>(guard: Guard, call: GuardedCall, open: () => AsyncIterable<T>): AsyncIterable<T> {
  try {
    for await (const item of open()) yield item
  } catch (cause) {
    throw wrappedError(guard, call, cause)
  }
}
