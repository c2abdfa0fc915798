import { codeOf, messageOf } from '../../core/errors.js'
import type { SecretRef } from '../../core/ports/words.js'
import type { Tools } from './setup.js'

/** Gives the right to act back, so that the next attempt does not have to wait for the lease to run out. A failure costs only time, and is logged. */
export async function endLease({ store, deps, guard }: Tools, ref: SecretRef): Promise<void> {
  try {
    const state = await store.describe(ref)
    const rotation = state.journal?.rotation
    if (rotation === undefined || rotation.published !== undefined) return
    if (rotation.holder !== deps.holder || rotation.leaseUntil <= deps.env.now()) return
    await store.claim(state, { token: rotation.token, kind: rotation.kind, holder: deps.holder, leaseMs: 0 })
  } catch (cause) {
    guard.env.log('lease_not_ended', { ref: ref.shown, code: codeOf(cause) ?? 'internal', why: messageOf(cause) })
  }
}
