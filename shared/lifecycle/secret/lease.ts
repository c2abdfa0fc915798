import { codeOf, messageOf } from '../../core/errors.js'
import type { Claim, Retiring, SecretStore } from '../../core/ports/store.js'
import type { SecretRef } from '../../core/ports/words.js'
import { guardStore } from '../guard/index.js'
import { lookAgain } from './open.js'
import type { Tools } from './setup.js'

/** Acts under a claim. An orderly end gives the right to act back at once, an interrupt included. After a crash the lease has to run out. */
export async function leased<T>(tools: Tools, ref: SecretRef, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if (codeOf(cause) !== 'locked') await endLease(tools, ref)
    throw cause
  }
}

/** Stands before an effect that no write of the store is a condition of. conflict where the platform's own lease of the claim was taken away. */
export async function holdLease({ store }: Pick<Tools, 'store'>, claim: Claim): Promise<void> {
  await store.renew?.(claim)
}

/** Gives the right to act back, so that the next attempt does not have to wait for the lease to run out. A failure costs only time, and is logged. */
export async function endLease(tools: Tools, ref: SecretRef): Promise<void> {
  const { holder, env } = tools.deps
  await givenBack(tools, ref, async (store) => {
    const state = await store.describe(ref)
    const rotation = state.journal?.rotation
    if (rotation === undefined || rotation.published !== undefined) return
    if (rotation.holder !== holder || rotation.leaseUntil <= env.now()) return
    await store.claim(state, { token: rotation.token, kind: rotation.kind, holder, leaseMs: 0 })
  })
}

/** The same for an outgoing credential that was armed when an interrupt came: it stays armed, and whoever comes next may retire it at once. */
export async function endArming(tools: Tools, ref: SecretRef, { id, version }: Retiring): Promise<void> {
  const { holder, env } = tools.deps
  if (!env.cancelled.aborted) return
  await givenBack(tools, ref, async (store) => {
    const state = await store.describe(ref)
    const isOurs = (one: Retiring): boolean => one.id === id && one.version === version && one.holder === holder
    const retiring = (state.journal?.retiring ?? []).map((one) => (isOurs(one) ? { ...one, leaseUntil: 0 } : one))
    if (retiring.some(isOurs)) await store.note(state, { retiring })
  })
}

async function givenBack({ deps, guard }: Tools, ref: SecretRef, act: (store: SecretStore) => Promise<void>): Promise<void> {
  // An interrupt stops every effect, and must not stop this one.
  const env = { ...guard.env, cancelled: new AbortController().signal }
  try {
    // What was noted beside the rotation since (an announcement, a credential that is retired) is not a reason to keep the right to act.
    await lookAgain(ref.shown, () => act(guardStore(deps.store, { ...guard, env })))
  } catch (cause) {
    guard.env.log('lease_not_ended', { ref: ref.shown, code: codeOf(cause) ?? 'internal', why: messageOf(cause) })
  }
}
