import { codeOf, RotationError } from '../../core/errors.js'
import type { Claim, SecretState } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import { isByAnswer } from './by-answer.js'
import type { Work } from './work.js'

export const refusalsMax = 3
const noteAttemptsMax = 4

/** What the logins so far have shown of the pending credential. */
export interface Proof {
  readonly pending: 'refused' | 'unknown'
  /** With which error the target refused it. */
  readonly cause?: unknown
}

/**
 * Handles a pending value that the target did not take. The value is thrown away only on proof: pending is refused and current is accepted, with at
 * most one login each, and never where no password can be tried. Throws `rejected` (decide again, with a new value) or `stuck` (durable), and returns where pending turns out to be accepted.
 */
export async function resolveRefusal(asked: Work, version: VersionId, pending: unknown, proof: Proof): Promise<void> {
  const work = await asked.loadEverything()
  const { rotator, context } = work
  if (isByAnswer(work)) return markStuck(work, untriedText(proof), byPut(context.ref.shown))
  if (proof.pending === 'unknown' && (await rotator.accepted(context, pending))) return
  if (context.current === undefined || !(await rotator.accepted(context, context.current))) {
    return markStuck(work, withReason('The target accepts neither the current nor the pending credential.', proof))
  }
  const { shown } = context.ref
  const left = await giveUpValue(work, version, pending)
  if (left === 'spent') throw spentTokenError(shown)
  const { kind, ref } = work.claim
  if (kind === 'put' || kind === 'rollback') throw refusedValueError(shown, proof) // there is no other value to make
  const after = await work.tools.store.describe(ref)
  const refusals = after.journal?.rotation?.refusals ?? 0
  if (refusals >= refusalsMax) {
    await markStuck(
      work,
      `The target refused ${refusalsMax} values in a row; the current credential still works.`,
      `Change the password rule in the policy to one that the target accepts, then run keyturn adopt ${shown}.`,
    )
  }
  throw new RotationError('rejected', withReason(`The target refused the new value of ${shown}; the current one still works.`, proof), {
    next: 'Another value is made, at most three times.',
  })
}

/** The sentence, and after it what the target said, or what an administrator of it sees. */
export const withReason = (text: string, { cause }: Pick<Proof, 'cause'>): string =>
  cause instanceof RotationError && cause.code === 'target_auth' ? `${text} ${cause.message}` : text

/** What the target said of it, and that nobody can find out more. */
const untriedText = ({ cause }: Proof): string => {
  const said = cause instanceof RotationError ? `${cause.message} ` : ''
  return `${said}No login can tell which value the target accepts now.`
}
const byPut = (shown: string): string =>
  `Correct what the target refuses, then run keyturn put ${shown}: it sets the value that you give and publishes it. Nothing is set before that.`

const refusedValueError = (shown: string, proof: Proof): RotationError =>
  new RotationError('target_auth', withReason(`The target refuses the value that was given; ${shown} is unchanged.`, proof), {
    field: 'value',
    next: 'A put only stores: set the password at the target first, then put it. Use keyturn rotate to have a password made.',
  })

/**
 * Gives a value up, with proof in hand. The store goes first, conditional on the claim. Nobody can publish what it has let go of, so retiring a
 * minted credential afterwards is safe, however long this process slept. Never retires what identifies as current.
 */
export async function giveUpValue(work: Work, version: VersionId, pending: unknown): Promise<'again' | 'spent'> {
  const { rotator, context, tools, claim } = work
  const id = rotator.identify(pending)
  const left = await tools.store.discard(claim, version)
  const isMinted = rotator.issuer !== undefined
  if (isMinted && id !== rotator.identify(context.current)) await rotator.retire(context, id)
  return left
}

const spentTokenError = (shown: string): RotationError =>
  new RotationError('token_spent', `The target refused the value of this token; ${shown} keeps one value for each token.`, {
    next: 'Start a new rotation, with another token or none.',
  })

/**
 * Marks the secret as stuck, durably: it is refused before any login until a person has looked. Always throws. It marks only while the claim is
 * still ours: a process that slept must not stop a secret whose rotation another process has finished meanwhile. Nor where somebody published past
 * us: then what was refused says nothing about what is current now.
 */
export async function markStuck({ tools, claim, context }: Work, why: string, whatToDo?: string): Promise<never> {
  const { shown } = context.ref
  for (let attempt = 1; ; attempt++) {
    const state = await tools.store.describe(claim.ref)
    if (!isOurs(state, claim, tools.store.traits.journalCas)) {
      throw new RotationError('conflict', `Another process took over ${shown}.`, { next: 'The state is read again.' })
    }
    if ((state.current?.id ?? null) !== claim.base) {
      throw new RotationError('conflict', `Somebody else published ${shown} meanwhile.`, { next: 'The state is read again.' })
    }
    try {
      await tools.store.note(state, { code: 'stuck' })
      break
    } catch (cause) {
      const code = codeOf(cause)
      if (code === 'denied') break // without the right to write notes the error below is all there is
      if (code !== 'conflict' || attempt >= noteAttemptsMax) throw cause
    }
  }
  const recover = `keyturn recover ${shown} tries every stored value once and names the one safe thing to do`
  throw new RotationError('stuck', `${shown} is stuck. ${why}`, {
    next:
      whatToDo ??
      `Nothing logs in any more until you act: ${recover}. If the password was changed past Keyturn, keyturn put ${shown} tries the right one first.`,
  })
}

/** Whether the claim is still ours. Where the store keeps no journal under a condition (AWS), the pending mark shows it. */
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
