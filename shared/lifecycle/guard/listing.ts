import { type Guard, type GuardedCall, guarded } from './guarded.js'

/** Each step of a listing fails as a call would. A listing that failed is not begun again. */
export async function* guardedListing<T>(guard: Guard, call: GuardedCall, open: () => AsyncIterable<T>): AsyncIterable<T> {
  const once = { ...call, once: true as const }
  const items = open()[Symbol.asyncIterator]()
  try {
    for (;;) {
      const item = await guarded(guard, once, () => items.next())
      if (item.done) return
      yield item.value
    }
  } finally {
    await items.return?.() // where the reader stops early, the store lets go of what it holds open
  }
}
