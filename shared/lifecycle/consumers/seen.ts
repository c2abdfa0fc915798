import { RotationError } from '../../core/errors.js'
import type { Consumer } from '../../core/ports/notifier.js'
import type { SecretState, VersionInfo } from '../../core/ports/store.js'
import type { ConsumerPhase, SecretRef, VersionId } from '../../core/ports/words.js'
import { askedAnew } from '../decide/asking.js'
import { changeOf } from '../decide/publication.js'
import type { Deps } from '../secret/deps.js'
import { withSecret } from '../secret/open.js'

/** What a consumer, or a person for it, reports. */
export interface Receipt {
  readonly consumer: string
  readonly phase: ConsumerPhase
  /** The change that it is about; absent: what is current now. */
  readonly changeId?: string
  /** The version that the person means; conflict where it is not current any more. */
  readonly version?: VersionId
  /** When the consumer said so, where that is signed. A receipt that is older than a known one changes nothing. */
  readonly at?: number
}
/** The publication on which the consumer was seen. */
export interface NotedReceipt {
  readonly ref: SecretRef
  readonly version: VersionId
}

/**
 * Notes that a consumer was seen on the current publication: `manual` consumers and callbacks prove that. Repeatable. bad_event for a consumer that
 * this secret does not name, conflict for a receipt of another publication than the current one.
 */
export async function noteSeen(deps: Deps, refText: string, receipt: Receipt): Promise<NotedReceipt> {
  const { consumer } = receipt
  const noted = await withSecret(deps, refText, {}, async ({ tools, ref, state, setup }) => {
    const { consumers } = await setup()
    const { current, journal } = state
    if (current === undefined)
      throw new RotationError('not_found', `${ref.shown} has no current value.`, { field: 'ref', next: 'Put one first.' })
    assertNamed(ref, consumers, consumer)
    const done = { ref, version: current.id }
    if (isOfAnother(receipt, state, current)) return otherError(ref)
    const known = journal?.seen?.[consumer]
    const at = receipt.at ?? deps.env.now()
    // A receipt that is sent again, or was overtaken, changes nothing.
    if (known?.received && known.version === current.id && known.at > at) return done
    const seen = { version: current.id, phase: receipt.phase, at, received: true as const }
    await tools.store.note(state, { ...askedAnew(state), seen: { ...journal?.seen, [consumer]: seen } })
    return done
  })
  if (noted instanceof RotationError) throw noted // not a lost race: another look would say the same
  return noted
}

function assertNamed(ref: SecretRef, consumers: readonly Consumer[], named: string): void {
  const keys = consumers.map(({ key }) => key)
  if (keys.includes(named)) return
  throw new RotationError('bad_event', `${ref.shown} names no consumer ${named}.`, {
    field: 'consumer',
    next: `Its consumers are ${keys.join(', ') || 'none'}.`,
  })
}

function isOfAnother({ version, changeId }: Receipt, state: SecretState, current: VersionInfo): boolean {
  if (version !== undefined && version !== current.id) return true
  return changeId !== undefined && changeId !== changeOf(state, current).id
}

const otherError = ({ shown }: SecretRef): RotationError =>
  new RotationError('conflict', `The receipt is for another publication of ${shown} than the current one.`, {
    next: 'Follow the current one.',
  })
