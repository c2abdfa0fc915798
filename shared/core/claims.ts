import { RotationError } from './errors.js'
import { optional } from './optional.js'
import type { Claim, ClaimWish, Journal, OpenRotation, SecretView } from './ports/store.js'
import type { Token, VersionId } from './ports/words.js'

const failClaim = (code: 'locked' | 'conflict', message: string, next: string): never => {
  throw new RotationError(code, message, { next })
}

/** What the journal says of the rotation that a store with compare-and-set is asked to claim. */
export interface ClaimQuestion {
  readonly journal: Journal | null
  readonly current: VersionId | null
  /** Tokens that published a version which is still kept. */
  readonly published: readonly (Token | undefined)[]
  readonly now: number
  /** False where the store knows that the lease's holder is dead. */
  readonly holderMayLive: boolean
}

/** The rules of a claim, the same for every store that keeps a journal: the rotation to write, or `locked` / `conflict`. */
export function claimedRotation(question: ClaimQuestion, wish: ClaimWish): OpenRotation {
  const { journal, current, now } = question
  const there = journal?.rotation
  const open = there && there.published === undefined ? there : undefined
  if (there?.published !== undefined && there.token === wish.token)
    failClaim('conflict', 'This token has published its value already.', 'The state is read again.')
  if (open?.token !== wish.token && question.published.includes(wish.token)) {
    throw new RotationError('token_spent', 'This token has published a value already, which was replaced since.', {
      next: 'Start a new rotation, with another token or none.',
    })
  }
  if (open && open.holder !== wish.holder && open.leaseUntil > now && question.holderMayLive) {
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
    ...optional('minting', wish.minting ?? mine?.minting),
    ...optional('reason', wish.reason ?? mine?.reason),
  }
}

/** Conditional on the claim: conflict when another holder or attempt took its place, or when its token is published. */
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

/** A put whose value is gone: only who holds that value can go on with it, so that it is nothing to wait for. */
const isEmptyPut = ({ pending, journal }: SecretView): boolean => pending === undefined && journal?.rotation?.kind === 'put'

/** A rotation that somebody has to finish, or is at work on. */
export const isOpen = (state: SecretView): boolean => {
  const rotation = state.journal?.rotation
  return rotation !== undefined && rotation.published === undefined && !isEmptyPut(state)
}

/** For release, inside the write itself: held while a value may be set at the target already. */
export function assertSettled(state: SecretView): void {
  const { pending, loose, ref } = state
  if (!pending?.hasValue && loose.length === 0 && !isOpen(state)) return
  throw new RotationError('held', `${ref.shown} has a rotation that is not finished: its value may be set at the target already.`, {
    field: 'ref',
    next: `Finish it first: keyturn rotate ${ref.shown} --resume, or keyturn recover ${ref.shown}.`,
  })
}
