import { codeOf } from '../../core/errors.js'
import type { AnyRotator } from '../../core/ports/rotator.js'
import type { SecretState } from '../../core/ports/store.js'
import type { Policy, RotationRequest, VersionId } from '../../core/ports/words.js'
import { lookContext } from '../secret/context.js'
import type { Known, Tools } from '../secret/setup.js'

/** Reads a stored value; undefined where it is not a credential of this kind. */
export async function parsedOrNot(
  { store }: Tools,
  rotator: AnyRotator,
  policy: Policy,
  { ref }: SecretState,
  version: VersionId,
): Promise<unknown> {
  try {
    return rotator.parse(await store.read(ref, version), policy)
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}

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
  const { journal, current, previous } = state
  const open = journal?.rotation !== undefined && journal.rotation.published === undefined
  const ending = (journal?.retiring ?? []).some((entry) => entry.state === 'armed' || entry.state === 'disabled')
  if (open || ending || journal?.code !== undefined || previous === undefined) return undefined
  // Otherwise it is set again, whatever the target says about it now.
  if (rotator.traits.rollback(policy) !== 'publish' && !unreadable) return undefined
  const own = !rotator.traits.outside && current ? { current: await parsedOrNot(tools, rotator, policy, state, current.id) } : {}
  const context = { ...(await lookContext(tools, setup, state)), ...own }
  const value = await parsedOrNot(tools, rotator, policy, state, previous.id)
  return value !== undefined && rotator.accepted(context, value)
}
