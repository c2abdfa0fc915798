import { RotationError } from '../../core/errors.js'
import type { Retiring, SecretState } from '../../core/ports/store.js'
import type { CredentialId, SecretRef } from '../../core/ports/words.js'
import { lookContext } from '../secret/context.js'
import type { Deps } from '../secret/deps.js'
import { withSecret } from '../secret/open.js'
import { retainedEntries, retainedIds } from '../secret/outgoing.js'
import { assertConsumers, type Known, type Tools } from '../secret/setup.js'
import { askGate } from './gate.js'

/** Which key leaves with the next rotation, and whether it had been released before. */
export interface Reencrypted {
  readonly ref: SecretRef
  readonly id: CredentialId
  readonly outcome: 'released' | 'released before'
}

/**
 * Somebody says that nothing is encrypted with an older key any more: the key leaves the value with the next rotation. Repeatable. held while a
 * required consumer was not seen on the current value: it may encrypt with the older key at this moment. bad_event for a key that is not kept.
 */
export async function reencrypted(deps: Deps, refText: string, id: string): Promise<Reencrypted> {
  return withSecret(deps, refText, {}, async ({ tools, ref, state, setup: loadSetup }) => {
    const { rotator, ...setup } = await loadSetup()
    const ids = rotator && (await retainedIds(tools, { ...setup, rotator }, state))
    if (rotator === undefined || ids === undefined)
      throw notKeptError(ref, `${ref.shown} keeps no older keys.`, 'It has none that data may need.')
    assertConsumers(setup)
    const entries = retainedEntries(ids, setup.settings, state)
    const entry = entries.find((one) => one.id === id)
    if (entry === undefined) {
      const kept = ids.join(', ') || 'none'
      const next = `It keeps ${kept}; the one that encrypts now is not among them.`
      throw notKeptError(ref, `${ref.shown} keeps no older key ${id}.`, next)
    }
    if (entry.state === 'armed') return { ref, id: entry.id, outcome: 'released before' }
    await assertFollowed(tools, { ...setup, rotator }, state, entry)
    const retiring = entries.map((one) => (one.id === id ? { ...one, state: 'armed' as const } : one))
    await tools.store.note(state, { retiring })
    return { ref, id: entry.id, outcome: 'released' }
  })
}

async function assertFollowed(tools: Tools, setup: Known, state: SecretState, entry: Retiring): Promise<void> {
  const { told } = await askGate({ tools, setup, state }, entry, await lookContext(tools, setup, state))
  const behind = told.filter(({ seen }) => seen.phase !== 'drained').map(({ consumer }) => consumer.key)
  if (behind.length === 0) return
  const { shown } = state.ref
  const why = `Not yet on the current value of ${shown}: ${behind.join(', ')}`
  throw new RotationError('held', `${why}. They may still encrypt with ${entry.id}.`, {
    next: `Wait until keyturn status ${shown} shows them as drained, then run the command again.`,
  })
}

const notKeptError = (ref: SecretRef, why: string, next: string): RotationError =>
  new RotationError('bad_event', why, {
    field: 'key',
    next: `${next} keyturn status ${ref.shown} lists them.`,
  })
