import { RotationError } from '../../core/errors.js'
import type { ConsumerPhase, SecretRef, VersionId } from '../../core/ports/words.js'
import { changeOf } from '../decide/publication.js'
import type { Deps } from '../secret/deps.js'
import { withSecret } from '../secret/open.js'

export interface Receipt {
  readonly consumer: string
  readonly phase: ConsumerPhase
  /** The change that it is about; absent: what is current now. */
  readonly changeId?: string
  /** The version that the person means; conflict where it is not current any more. */
  readonly version?: VersionId
  /** When the consumer said so, where that is signed: what is older than what is known already changes nothing. */
  readonly at?: number
}

/**
 * Notes that a consumer was seen on the current publication: what `manual` consumers and callbacks prove. Repeatable. bad_event for a consumer that
 * this secret does not name, conflict for a receipt of another publication than the current one.
 */
export async function noteSeen(
  deps: Deps,
  refText: string,
  receipt: Receipt,
): Promise<{ readonly ref: SecretRef; readonly version: VersionId }> {
  const noted = await withSecret(deps, refText, {}, async ({ tools, ref, state, setup }) => {
    const { consumers } = await setup()
    const { current } = state
    if (current === undefined)
      throw new RotationError('not_found', `${ref.shown} has no current value.`, { field: 'ref', next: 'Put one first.' })
    if (!consumers.some(({ key }) => key === receipt.consumer)) {
      throw new RotationError('bad_event', `${ref.shown} names no consumer ${receipt.consumer}.`, {
        field: 'consumer',
        next: `Its consumers are ${consumers.map(({ key }) => key).join(', ') || 'none'}.`,
      })
    }
    const otherVersion = receipt.version !== undefined && receipt.version !== current.id
    if (otherVersion || (receipt.changeId !== undefined && receipt.changeId !== changeOf(state, current).id))
      return new RotationError('conflict', `The receipt is for another publication of ${ref.shown} than the current one.`, {
        next: 'Follow the current one.',
      })
    const known = state.journal?.seen?.[receipt.consumer]
    const at = receipt.at ?? deps.env.now()
    if (known?.received && known.version === current.id && known.at > at) return { ref, version: current.id } // sent once more, or overtaken
    const seen = { version: current.id, phase: receipt.phase, at, received: true as const }
    await tools.store.note(state, { seen: { ...state.journal?.seen, [receipt.consumer]: seen } })
    return { ref, version: current.id }
  })
  if (noted instanceof RotationError) throw noted // not a lost race: another look would say the same
  return noted
}
