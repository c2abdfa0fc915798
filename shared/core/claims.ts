import { isLeaseLive } from './clock.js'
import { RotationError } from './errors.js'
import { optional } from './optional.js'
import type { Claim, ClaimWish, Journal, OpenRotation, SecretView } from './ports/store.js'
import type { Token, VersionId } from './ports/words.js'

const failClaim = (code: 'locked' | 'conflict', message: string, next: string): never => {
  throw new RotationError(code, message, { next })
}

/** What a store with compare-and-set knows when a rotation asks for a claim. */
export interface ClaimQuestion {
  readonly journal: Journal | null
  readonly current: VersionId | null
  /** Tokens that published a version which is still kept. */
  readonly published: readonly (Token | undefined)[]
  readonly now: number
  /** False if the store knows that the holder of the lease is dead. */
  readonly holderMayLive: boolean
}

/** Applies the rules of a claim, the same for every store with a journal, and returns the rotation to write. locked, conflict, token_spent. */
export function claimedRotation(question: ClaimQuestion, wish: ClaimWish): OpenRotation {
  const { journal, current, now } = question
  const there = journal?.rotation
  const open = there && there.published === undefined ? there : undefined
  if (there?.published !== undefined && there.token === wish.token)
    failClaim('conflict', 'This token has already published its value.', 'The state is read again.')
  if (open?.token !== wish.token && question.published.includes(wish.token)) {
    throw new RotationError('token_spent', 'This token published a value that has been replaced since.', {
      next: 'Start a new rotation, with another token or none.',
    })
  }
  if (open && open.holder !== wish.holder && isLeaseLive(open.leaseUntil, now) && question.holderMayLive) {
    failClaim(
      'locked',
      `Another process (${open.holder}) is rotating this secret.`,
      `Wait until it is done; its lease ends at ${new Date(open.leaseUntil).toISOString()}.`,
    )
  }
  const mine = open?.token === wish.token ? open : undefined
  if (open && !mine && wish.replaces !== open.token) failClaim('conflict', 'Another rotation is open.', 'The state is read again.')
  return {
    token: wish.token,
    kind: mine?.kind ?? wish.kind,
    base: mine ? mine.base : current,
    holder: wish.holder,
    attempt: (mine?.attempt ?? 0) + 1,
    leaseUntil: now + wish.leaseMs,
    refusals: mine?.refusals ?? wish.refusals ?? 0,
    ...optional('staged', wish.continueWith ?? mine?.staged),
    ...optional('intent', mine?.intent),
    ...optional('before', mine?.before),
    ...optional('minting', wish.minting ?? mine?.minting),
    ...optional('reason', wish.reason ?? mine?.reason),
  }
}

/** Makes a write conditional on the claim. conflict if another holder or attempt took its place, or if its token has published. */
export function assertClaim(claim: Claim, journal: Journal | null): OpenRotation {
  const rotation = journal?.rotation
  const mine = rotation?.token === claim.token && rotation.attempt === claim.attempt && rotation.holder === claim.holder
  if (!rotation || !mine || rotation.published !== undefined) {
    throw new RotationError('conflict', 'This rotation is no longer ours: another process took it over or finished it.', {
      next: 'The state is read again.',
    })
  }
  return rotation
}

/** A put whose value is gone. Only the holder of that value can continue it, so nobody waits for it. */
export const isEmptyPut = ({ pending, journal }: SecretView): boolean => pending === undefined && journal?.rotation?.kind === 'put'

/** Whether a rotation is under way, or must still be finished. */
export const isOpen = (state: SecretView): boolean => {
  const rotation = state.journal?.rotation
  return rotation !== undefined && rotation.published === undefined && !isEmptyPut(state)
}

/** For release, inside the write itself. held while a value may already be set at the target. */
export function assertSettled(state: SecretView): void {
  const { pending, loose, ref } = state
  if (!pending?.hasValue && loose.length === 0 && !isOpen(state)) return
  throw new RotationError('held', `${ref.shown} has an unfinished rotation: its value may already be set at the target.`, {
    field: 'ref',
    next: `Finish it first: keyturn rotate ${ref.shown} --resume, or keyturn recover ${ref.shown}.`,
  })
}
