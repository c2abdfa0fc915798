import type { CredentialId } from '../../core/ports/words.js'
import type { Work } from './work.js'

/**
 * An issuer's cap is full: retires the oldest credential that nobody is known to use, before a new one is made. Noted as armed first, so that
 * no rollback can publish what is about to end; the entry goes only after the credential is gone. May be repeated.
 */
export async function freeSlot({ tools, rotator, context, claim }: Work, id: CredentialId): Promise<void> {
  const state = await tools.store.describe(claim.ref)
  const retiring = state.journal?.retiring ?? []
  const entry = retiring.find((candidate) => candidate.id === id)
  if (entry === undefined || state.current?.id === entry.version) return
  const armed = await tools.store.note(state, {
    retiring: retiring.map((candidate) => (candidate === entry ? { ...entry, state: 'armed' as const } : candidate)),
  })
  const progress = await rotator.retire(context, id)
  if (!progress.done) return
  await tools.store.dispose(claim.ref, entry.version)
  await tools.store.note(armed, { retiring: retiring.filter((candidate) => candidate !== entry) })
}
