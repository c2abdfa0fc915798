import { assertClaim } from '../../core/claims.js'
import { RotationError } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import type { Claim, Journal, OpenRotation } from '../../core/ports/store.js'
import type { SecretRef } from '../../core/ports/words.js'
import type { Cell } from './cell.js'
import type { Profile } from './profiles.js'

/** Every single write of the store passes through this. A test may fail it before or after, or let another process act in between. */
export type Effects = <T>(name: string, write: () => T) => Promise<T>

/** What one claimed call works on. */
export interface Parts {
  readonly cell: Cell
  readonly profile: Profile
  readonly env: Env
  readonly effects: Effects
  readonly claim: Claim
}

/** Sets the journal, or loses it (null). Either counts as a write. */
export function writeJournal(cell: Cell, journal: Journal | null): void {
  cell.journal = journal
  if (journal === null) delete cell.lease // it is one of the journal's own object
  cell.journalRev++
}

/** The rotation of this claim, or `conflict`; undefined where the service keeps the right to act. */
export function checkRight({ cell, profile, claim }: Parts): OpenRotation | undefined {
  if (!profile.serviceDriven) return assertClaim(claim, cell.journal)
  if (cell.label !== claim.token) throw conflictError(claim.ref)
  return undefined
}

/** Makes a conflict error: the claim or its base is gone. */
export const conflictError = (ref: SecretRef): RotationError =>
  new RotationError('conflict', `Another process changed ${ref.shown} meanwhile.`, { next: 'The state is read again.' })
