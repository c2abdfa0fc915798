import type { CredentialId } from '../../core/ports/words.js'
import { confirmCurrent } from '../secret/confirm.js'
import { holdLease } from '../secret/lease.js'
import type { Work } from './work.js'

/**
 * Makes room where an issuer's cap is full: retires the oldest credential that nobody is known to use, before a new one is made. It is noted as
 * armed first, so that no rollback can publish what is about to end. The entry goes only after the credential is gone. May be repeated.
 */
export async function freeSlot({ tools, rotator, context, claim }: Work, id: CredentialId): Promise<void> {
  const state = await tools.store.describe(claim.ref)
  const retiring = state.journal?.retiring ?? []
  const entry = retiring.find((candidate) => candidate.id === id)
  if (entry === undefined || state.current?.id === entry.version) return
  await confirmCurrent(tools, state)
  const withArmed = retiring.map((one) => (one === entry ? { ...entry, state: 'armed' as const } : one))
  await holdLease(tools, claim)
  await tools.store.note(state, { retiring: withArmed })
  await holdLease(tools, claim)
  const progress = await rotator.retire(context, id)
  if (!progress.done) return
  await holdLease(tools, claim)
  await tools.store.dispose(claim.ref, entry.version)
  const now = await tools.store.describe(claim.ref)
  await tools.store.note(now, { retiring: (now.journal?.retiring ?? []).filter((candidate) => candidate.id !== id) })
}
