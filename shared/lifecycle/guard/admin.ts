import type { SecretStore, SecretStoreAdmin } from '../../core/ports/store.js'
import { wholeOf } from '../../core/whole.js'
import { type Guard, type GuardedCall, guarded } from './guarded.js'
import { guardedListing } from './listing.js'
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
    history: (ref) => guardedListing(guard, call('history', ref.shown, false), () => store.history(ref)),
    restorePlace: restorePlace && ((ref) => guarded(guard, call('restorePlace', ref.shown, true), () => restorePlace.call(store, ref))),
  })
  return { ...guardStore(store, guard), ...admin }
}
