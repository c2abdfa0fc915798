import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Listed, SecretStore } from '../../core/ports/store.js'
import { wholeOf } from '../../core/whole.js'
import { type Guard, type GuardedCall, guarded } from './guarded.js'
import { guardedListing } from './listing.js'

/** The same store behind limits, audit, retry and redaction. */
export function guardStore(store: SecretStore, guard: Guard): SecretStore {
  const classify = (cause: unknown) => store.classify(cause)
  const askedWaitMs = (cause: unknown) => store.askedWaitMs?.(cause)
  const look = (name: string, ref: string): GuardedCall => ({ name: `store.${name}`, ref, effect: false, classify, askedWaitMs })
  const change = (name: string, ref: string, rest: Partial<GuardedCall> = {}): GuardedCall => ({
    ...look(name, ref),
    effect: true,
    ...rest,
  })
  const { tags, confirm, renew } = store
  return wholeOf<SecretStore>({
    traits: store.traits,
    resolve: (text) => guarded(guard, look('resolve', text), () => store.resolve(text)),
    describe: (ref) => guarded(guard, look('describe', ref.shown), () => store.describe(ref)),
    read: async (ref, version) => {
      const value = await guarded(guard, look('read', ref.shown), () => store.read(ref, version))
      guard.redactor.learn(value)
      return value
    },
    readCurrent: async (text) => {
      const found = await guarded(guard, look('readCurrent', text), () => store.readCurrent(text))
      guard.redactor.learn(found.value)
      return found
    },
    claim: (state, { reason, ...wish }) => {
      // It is kept beside the secret and told to consumers: somebody may write into it what leaked.
      const clean = optional('reason', reason === undefined ? undefined : guard.redactor.clean(reason))
      return guarded(guard, change('claim', state.ref.shown, { token: wish.token, ...clean }), () =>
        store.claim(state, { ...wish, ...clean }),
      )
    },
    renew:
      renew &&
      ((claim) =>
        guarded(guard, change('renew', claim.ref.shown, { token: claim.token, deadline: claim.leaseUntil }), () =>
          renew.call(store, claim),
        )),
    stage: async (claim, value) => {
      guard.redactor.learn(value)
      assertFits(store, value.bytes)
      return guarded(guard, change('stage', claim.ref.shown, { token: claim.token, deadline: claim.leaseUntil }), () =>
        store.stage(claim, value),
      )
    },
    discard: (claim, version) =>
      guarded(guard, change('discard', claim.ref.shown, { token: claim.token, version, deadline: claim.leaseUntil }), () =>
        store.discard(claim, version),
      ),
    publish: (claim, version, tested) =>
      guarded(guard, change('publish', claim.ref.shown, { token: claim.token, version, deadline: claim.leaseUntil }), () =>
        store.publish(claim, version, tested),
      ),
    confirm: confirm && ((state) => guarded(guard, change('confirm', state.ref.shown), () => confirm.call(store, state))),
    note: (state, patch) => guarded(guard, change('note', state.ref.shown), () => store.note(state, patch)),
    // In constant memory: what fails of one secret is told to the lifecycle, and what fails of the listing ends it.
    list: (filter, failed) => guardedListing<Listed>(guard, look('list', 'the store'), () => store.list(filter, failed)),
    tags: tags && ((ref) => guarded(guard, look('tags', ref.shown), () => tags.call(store, ref))),
    dispose: (ref, version) => guarded(guard, change('dispose', ref.shown, { version }), () => store.dispose(ref, version)),
    classify,
    askedWaitMs,
  })
}

function assertFits({ traits }: SecretStore, bytes: number): void {
  if (bytes <= traits.valueBytesMax) return
  throw new RotationError('too_large', `The value has ${bytes} bytes; this store takes ${traits.valueBytesMax}.`, {
    field: 'value',
    next: 'Shorten the value, or keep everything that is not a credential elsewhere.',
  })
}
