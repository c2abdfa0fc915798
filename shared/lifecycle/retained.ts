import { codeOf, RotationError } from '../core/errors.js'
import type { AnyRotator } from '../core/ports/rotator.js'
import type { Retiring, SecretState } from '../core/ports/store.js'
import type { CredentialId, SecretRef } from '../core/ports/words.js'
import type { Deps } from './deps.js'
import { askGate } from './gate.js'
import { assertTargets, createTools, type Setup, type Tools, understand } from './setup.js'
import { lookContext } from './work.js'

type Known = Setup & { readonly rotator: AnyRotator }
const roundsMax = 6

/** What left current and is still in the value, because something may need it: undefined for a kind that keeps nothing. */
export async function retainedIds(
  tools: Tools,
  { rotator, policy }: Known,
  { ref, current }: SecretState,
): Promise<readonly CredentialId[] | undefined> {
  if (rotator.retained === undefined || current === undefined) return undefined
  return rotator.retained(rotator.parse(await tools.store.read(ref, current.id), policy))
}

/** An entry for each, also where the notes were lost: then none is armed, and somebody has to say it once more. */
export const retainedEntries = (ids: readonly CredentialId[], { graceMs }: Setup['settings'], state: SecretState): readonly Retiring[] =>
  ids.map((id) => {
    const known = (state.journal?.retiring ?? []).find((entry) => entry.id === id)
    const since = state.publishedAt
    const version = state.previous?.id ?? state.current?.id
    if (known !== undefined) return known
    if (version === undefined) throw new RotationError('internal', 'A key is kept by no version.', { next: 'Report it.' })
    return { id, version, since, notBefore: since + graceMs, state: 'waiting' }
  })

export interface Reencrypted {
  readonly ref: SecretRef
  readonly id: CredentialId
  readonly outcome: 'armed' | 'armed before'
}

/**
 * Somebody says that nothing is encrypted with an older key any more: it leaves the value with the next rotation. Repeatable. held while a required
 * consumer was not seen on the present value: it may encrypt with the older one at this moment. bad_event for a key that is not kept.
 */
export async function reencrypted(deps: Deps, refText: string, id: string): Promise<Reencrypted> {
  const tools = createTools(deps)
  const ref = await tools.store.resolve(refText)
  for (let round = 1; ; round++) {
    const state = await tools.store.describe(ref)
    const setup = await understand(tools, state)
    const { rotator } = setup
    const ids = rotator && (await retainedIds(tools, { ...setup, rotator }, state))
    if (rotator === undefined || ids === undefined) throw notKept(ref, `${ref.shown} keeps no older keys.`, 'Only a keyring does.')
    assertTargets(setup)
    const entries = retainedEntries(ids, setup.settings, state)
    const entry = entries.find((one) => one.id === id)
    if (entry === undefined)
      throw notKept(
        ref,
        `${ref.shown} keeps no older key ${id}.`,
        `It keeps ${ids.join(', ') || 'none'}; the one that encrypts now is not among them.`,
      )
    if (entry.state === 'armed') return { ref, id: entry.id, outcome: 'armed before' }
    await assertFollowed(tools, { ...setup, rotator }, state, entry)
    const retiring = entries.map((one) => (one.id === id ? { ...one, state: 'armed' as const } : one))
    try {
      await tools.store.note(state, { retiring })
      return { ref, id: entry.id, outcome: 'armed' }
    } catch (cause) {
      if (codeOf(cause) !== 'conflict' || round >= roundsMax) throw cause
    }
  }
}

async function assertFollowed(tools: Tools, setup: Known, state: SecretState, entry: Retiring): Promise<void> {
  const { told } = await askGate(tools, setup, state, entry, await lookContext(tools, setup, state))
  const behind = told.filter(({ seen }) => seen.phase !== 'drained').map(({ target }) => target.key)
  if (behind.length === 0) return
  throw new RotationError(
    'held',
    `Not yet on the present value of ${state.ref.shown}: ${behind.join(', ')}; it may still encrypt with ${entry.id}.`,
    {
      next: `Wait until keyturn status ${state.ref.shown} shows them as drained, then say it again.`,
    },
  )
}

const notKept = (ref: SecretRef, why: string, next: string): RotationError =>
  new RotationError('bad_event', why, { field: 'key', next: `${next} keyturn status ${ref.shown} lists them.` })
