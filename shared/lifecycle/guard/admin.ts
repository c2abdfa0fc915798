import type { Listed, SecretStore, SecretStoreAdmin } from '../../core/ports/store.js'
import { wholeOf } from '../../core/whole.js'
import { type Guard, type GuardedCall, guarded } from './guarded.js'
import { guardStore } from './store.js'

type Opened = SecretStore & SecretStoreAdmin

/** A store for a person's commands: every change is recorded, and every failure is explained, as in a rotation. */
export function guardAdmin(store: Opened, guard: Guard): Opened {
  const classify = (cause: unknown) => store.classify(cause)
  const call = (name: string, ref: string, effect: boolean): GuardedCall => ({ name: `store.${name}`, ref, effect, classify })
  const { restorePlace } = store
  const admin = wholeOf<SecretStoreAdmin>({
    create: (name, value, policy) => {
      guard.redactor.learn(value)
      return guarded(guard, call('create', name, true), () => store.create(name, value, policy))
    },
    setPolicy: (ref, patch) => guarded(guard, call('setPolicy', ref.shown, true), () => store.setPolicy(ref, patch)),
    release: (ref) => guarded(guard, call('release', ref.shown, true), () => store.release(ref)),
    history: (ref) => explained(guard, call('history', ref.shown, false), () => store.history(ref)),
    restorePlace: restorePlace && ((ref) => guarded(guard, call('restorePlace', ref.shown, true), () => restorePlace.call(store, ref))),
  })
  return {
    ...guardStore(store, guard),
    ...admin,
    list: (filter, failed) => explained<Listed>(guard, call('list', 'the store', false), () => store.list(filter, failed)),
  }
}

/** Each step of a listing fails as a call would. A listing that failed is not begun again. */
async function* explained<T>(guard: Guard, call: GuardedCall, open: () => AsyncIterable<T>): AsyncIterable<T> {
  const once = { ...call, once: true as const }
  const items = open()[Symbol.asyncIterator]()
  for (;;) {
    const item = await guarded(guard, once, () => items.next())
    if (item.done) return
    yield item.value
  }
}
