import type { SecretState } from '../../core/ports/store.js'
import type { RotationRequest } from '../../core/ports/words.js'
import { proofOf } from '../../core/proof.js'
import { ownContext, parsedOrNot } from '../secret/context.js'
import type { Known, Tools } from '../secret/setup.js'

/**
 * Whether current cannot be read, where that matters. A put meets a rotation that was begun on it and has no value, and never will have one: the put
 * replaces it. A rollback cannot set anything from it: it publishes the previous value as it is.
 */
export async function blocks(
  tools: Tools,
  { rotator, policy }: Known,
  state: SecretState,
  kind: RotationRequest['kind'],
): Promise<boolean> {
  const { current, pending, journal } = state
  const rotation = journal?.rotation
  if (current?.hasValue !== true) return false
  const matters = kind === 'rollback' || (pending === undefined && rotation !== undefined && rotation.published === undefined)
  return matters && (await parsedOrNot(tools, rotator, policy, state, current.id)) === undefined
}

/**
 * Whether the target still accepts the previous value. A rollback that sets nothing needs that: the previous credential is still valid, or current
 * cannot be read. One login, before anything is claimed.
 */
export async function previousWorks(tools: Tools, setup: Known, state: SecretState, unreadable: boolean): Promise<boolean | undefined> {
  const { rotator, policy } = setup
  const { journal, previous } = state
  const open = journal?.rotation !== undefined && journal.rotation.published === undefined
  const ending = (journal?.retiring ?? []).some((entry) => entry.state === 'armed' || entry.state === 'disabled')
  if (open || ending || journal?.code !== undefined || previous === undefined) return undefined
  // Otherwise it is set again, whatever the target says about it now.
  if (rotator.traits.rollback(policy) !== 'publish' && !unreadable) return undefined
  if (proofOf(rotator, policy) === 'answer') return undefined // nobody can ask, and it is set again
  const context = await ownContext(tools, setup, state)
  const value = await parsedOrNot(tools, rotator, policy, state, previous.id)
  return value !== undefined && rotator.accepted(context, value)
}
