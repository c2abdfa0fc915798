import { codeOf, RotationError } from '../../core/errors.js'
import type { Claim, SecretState } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import type { Work } from './work.js'

export const refusalsMax = 3
const noteAttemptsMax = 4

/** What is known of the two credentials after the logins that were made. */
export interface Proof {
  readonly pending: 'refused' | 'unknown'
}

/**
 * The target did not take the pending value. It is thrown away only on proof: pending refused and current accepted (one login each, at most).
 * Ends by throwing: `rejected` (decide anew, a new value), `stuck` (durable), or nothing where pending turns out to be accepted.
 */
export async function resolveRefusal(asked: Work, version: VersionId, pending: unknown, proof: Proof): Promise<void> {
  const work = await asked.loadEverything()
  const { rotator, context } = work
  if (proof.pending === 'unknown' && (await rotator.accepted(context, pending))) return
  if (!(await rotator.accepted(context, context.current))) {
    return markStuck(work, 'Neither the current nor the pending credential is accepted.')
  }
  const left = await giveUpValue(work, version, pending)
  if (left === 'spent') throw spentTokenError(context.ref.shown)
  if (work.claim.kind === 'put' || work.claim.kind === 'rollback') throw refusedValueError(context.ref.shown) // there is no other value to make
  const after = await work.tools.store.describe(work.claim.ref)
  if ((after.journal?.rotation?.refusals ?? 0) >= refusalsMax) {
    await markStuck(
      work,
      `The target refused ${refusalsMax} values in a row; the current credential still works.`,
      `Change the password rule in the policy so that the target accepts it, then run keyturn adopt ${context.ref.shown}.`,
    )
  }
  throw new RotationError('rejected', `The target refused the new value of ${context.ref.shown}; the current one still works.`, {
    next: 'Another value is made, at most three times.',
  })
}

const refusedValueError = (shown: string): RotationError =>
  new RotationError('target_auth', `The target refuses the value that was given; ${shown} is as it was.`, {
    field: 'value',
    next: 'A put only stores: set the password at the target first, then put it. To have one made, run keyturn rotate.',
  })

/**
 * With proof in hand. The store first, conditional on the claim: what it has let go of nobody can publish any more, so that retiring a minted
 * one afterwards is safe, however long this process slept. Never retires what identifies as current.
 */
export async function giveUpValue(work: Work, version: VersionId, pending: unknown): Promise<'again' | 'spent'> {
  const { rotator, context, tools, claim } = work
  const id = rotator.identify(pending)
  const left = await tools.store.discard(claim, version)
  if (rotator.issuer !== undefined && id !== rotator.identify(context.current)) await rotator.retire(context, id)
  return left
}

const spentTokenError = (shown: string): RotationError =>
  new RotationError('token_spent', `The target refused the value of this token; ${shown} keeps one value a token.`, {
    next: 'Start a new rotation, with another token or none.',
  })

/**
 * Durable: refused before any login until a person looked. Always throws. Only while the claim is still ours: a process that slept must not
 * stop a secret that another one has brought to its end meanwhile.
 */
export async function markStuck({ tools, claim, context }: Work, why: string, whatToDo?: string): Promise<never> {
  const { shown } = context.ref
  for (let attempt = 1; ; attempt++) {
    const state = await tools.store.describe(claim.ref)
    if (!isOurs(state, claim, tools.store.traits.journalCas)) {
      throw new RotationError('conflict', `Another process took ${shown} over.`, { next: 'The state is read again.' })
    }
    try {
      await tools.store.note(state, { code: 'stuck' })
      break
    } catch (cause) {
      const code = codeOf(cause)
      if (code === 'denied') break // no right to write notes: the answer below is all there is
      if (code !== 'conflict' || attempt >= noteAttemptsMax) throw cause
    }
  }
  throw new RotationError('stuck', `${shown} is stuck. ${why}`, {
    next:
      whatToDo ??
      `Nothing logs in any more until you act: keyturn recover ${shown} tries every stored value once and names the one safe thing to do.`,
  })
}

/** Where no journal is kept with a condition (AWS), the pending mark and an unchanged current say it. */
function isOurs(state: SecretState, claim: Claim, journalCas: boolean): boolean {
  const rotation = state.journal?.rotation
  if (!journalCas) return state.pending?.token === claim.token
  return (
    rotation?.token === claim.token &&
    rotation.holder === claim.holder &&
    rotation.attempt === claim.attempt &&
    rotation.published === undefined
  )
}
