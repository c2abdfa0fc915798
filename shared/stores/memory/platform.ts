import type { OpenRotation } from '../../core/ports/journal.js'
import type { Claim } from '../../core/ports/store.js'
import type { Cell } from './cell.js'
import { conflictError, type Effects } from './parts.js'

const leaseOf = ({ token, holder, attempt }: Pick<OpenRotation, 'token' | 'holder' | 'attempt'>): string => `${token} ${attempt} ${holder}`

/** The platform gives its lease to whoever claims. */
export function lease(cell: Cell, rotation: OpenRotation): void {
  cell.lease = leaseOf(rotation)
}

/** Refuses a write of whoever has lost the lease. conflict. */
export function assertLeased(cell: Cell, claim: Claim): void {
  if (cell.lease !== leaseOf(claim)) throw conflictError(cell.ref)
}

/** Refuses whoever has lost the lease to go on. conflict. */
export const renewLease = (cell: Cell, claim: Claim, effects: Effects): Promise<void> =>
  effects('lease.renew', () => assertLeased(cell, claim))

/** Refuses a write that meets another one of somebody else. conflict. */
export function assertAlone(cell: Cell): void {
  if (!cell.overlaps) return
  delete cell.overlaps
  throw conflictError(cell.ref)
}
