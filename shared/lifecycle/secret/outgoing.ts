import { isDeepStrictEqual } from 'node:util'
import { codeOf, RotationError } from '../../core/errors.js'
import type { AnyRotator } from '../../core/ports/rotator.js'
import type { Retiring, SecretState } from '../../core/ports/store.js'
import type { CredentialId, VersionId } from '../../core/ports/words.js'
import { isDue } from '../decide/publication.js'
import { leftAt } from '../decide/reckoned.js'
import { companionKind, type Known, type Setup, type Tools } from './setup.js'

/**
 * The versions that left current and have no retiring entry: previous, the one that was announced last, and those that a rotation had replaced before
 * somebody else overtook it.
 */
function leftVersions({ current, previous, journal }: SecretState): readonly VersionId[] {
  const rotation = journal?.rotation
  // What was published and is not current any more, even where a crash came before the publication was noted.
  const unnoted = previous?.ours === rotation?.token ? previous?.id : undefined
  const published = rotation?.published ?? unnoted
  const isOvertaken = published !== undefined && published !== current?.id
  const overtaken = isOvertaken ? [published, rotation?.base] : []
  // Where the intent stands the publication may have gone out, whatever is current now.
  const sent = rotation?.intent === true ? [rotation.base] : []
  const noted = new Set((journal?.retiring ?? []).map(({ version }) => version))
  const left = [previous?.id, journal?.announced, ...overtaken, ...sent].filter((id): id is VersionId => id !== undefined && id !== null)
  return [...new Set(left)].filter((id) => id !== current?.id && !noted.has(id))
}

/** undefined where the version is gone, or was never a credential of this kind. */
export async function identitiesOf(
  tools: Tools,
  { rotator, policy }: Known,
  state: SecretState,
  version: VersionId,
): Promise<readonly CredentialId[] | undefined> {
  try {
    const text = await tools.store.read(state.ref, version)
    return idsOf(rotator, rotator.parse(text, policy))
  } catch (cause) {
    if (codeOf(cause) === 'not_found' || codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}

/**
 * The retiring entries as they should be: one for each credential that left, and none for one that is current again. An entry is waiting where
 * consumers must be seen first. Every caller gets the same, so that it may be repeated.
 */
export async function entriesDue(
  tools: Tools,
  setup: Known,
  state: SecretState,
  currentIds: readonly CredentialId[] = [],
): Promise<readonly Retiring[]> {
  const { traits } = setup.rotator
  // A self-issued credential that takes no slot is never ended: it leaves the value by itself.
  if (!traits.outside && traits.slots(setup.policy) === null) return []
  const retained = await retainedIds(tools, setup, state)
  if (retained !== undefined) return retainedEntries(retained, setup.settings, state)
  const added = await addedEntries(tools, setup, state, currentIds)
  const has = (entries: readonly Retiring[], id: CredentialId): boolean => entries.some((entry) => entry.id === id)
  const isKept = ({ id, version, state: phase }: Retiring): boolean => {
    if (currentIds.includes(id)) return false
    // The account left once more: what was found out about it before says nothing about now.
    const isDecided = phase === 'armed' || phase === 'disabled'
    if (!isDecided && has(added, id)) return false
    // No target outside keeps a self-issued credential, so only previous counts.
    return traits.outside || version === state.previous?.id
  }
  const kept = (state.journal?.retiring ?? []).filter(isKept)
  const fresh = added.filter(({ id }) => !has(kept, id))
  return [...kept, ...fresh]
}

/** Whether a consumer has to follow before a credential that left may end. A companion that is written does not prove that its readers have read it. */
export const isByConsumers = ({ consumers }: Pick<Setup, 'consumers'>): boolean =>
  consumers.some(({ required, kind }) => required && kind !== companionKind)

async function addedEntries(
  tools: Tools,
  setup: Known,
  state: SecretState,
  currentIds: readonly CredentialId[],
): Promise<readonly Retiring[]> {
  const required = isByConsumers(setup)
  const since = leftAt(state, tools.deps.env.now())
  const entry = { since, notBefore: since + setup.settings.graceMs, state: required ? 'waiting' : 'undeclared' } as const
  const added: Retiring[] = []
  for (const version of leftVersions(state)) {
    const ids = (await identitiesOf(tools, setup, state, version)) ?? []
    for (const id of ids) {
      const isKnown = currentIds.includes(id) || added.some((one) => one.id === id)
      if (!isKnown) added.push({ id, version, ...entry })
    }
  }
  return added
}

/** The ids of every credential in a value: several where it has parts. */
export const idsOf = ({ identify, identities }: AnyRotator, value: unknown): readonly CredentialId[] =>
  identities?.(value) ?? [identify(value)]

/** The credentials that left current and are still in the value, because something may need them; undefined for a kind that keeps none. */
export async function retainedIds(
  tools: Tools,
  { rotator, policy }: Known,
  { ref, current, journal }: SecretState,
): Promise<readonly CredentialId[] | undefined> {
  if (rotator.older === undefined || current === undefined) return undefined
  const text = await tools.store.read(ref, current.id)
  try {
    return rotator.older.retained(rotator.parse(text, policy))
  } catch (cause) {
    // A value that cannot be read shows none. What was noted stays, because nobody has said that it is not needed.
    if (codeOf(cause) === 'bad_value') return (journal?.retiring ?? []).map(({ id }) => id)
    throw cause
  }
}

/** One entry for each kept key. Where the notes were lost, none is armed, and somebody has to release the keys once more. */
export function retainedEntries(ids: readonly CredentialId[], { graceMs }: Setup['settings'], state: SecretState): readonly Retiring[] {
  const noted = state.journal?.retiring ?? []
  const since = state.publishedAt
  const version = state.previous?.id ?? state.current?.id
  return ids.map((id) => {
    const known = noted.find((entry) => entry.id === id)
    if (known !== undefined) return known
    if (version === undefined) throw new RotationError('internal', 'No version keeps the key.', { next: 'Report it.' })
    return { id, version, since, notBefore: since + graceMs, state: 'waiting' }
  })
}

/**
 * A new rotation may overtake a publication that is not announced yet (an emergency, a rollback, no consumer named). What that publication had
 * replaced gets its retiring entry first, because nobody will remember it afterwards. True where an entry was noted.
 */
export async function noteOutgoing(tools: Tools, setup: Known, state: SecretState): Promise<boolean> {
  if (!isDue(state) || state.current === undefined) return false
  const before = state.journal?.retiring ?? []
  const ids = await identitiesOf(tools, setup, state, state.current.id)
  const retiring = await entriesDue(tools, setup, state, ids)
  if (isDeepStrictEqual(retiring, before)) return false
  try {
    await tools.store.note(state, { retiring })
    return true
  } catch (cause) {
    // Where this role may not write notes, the outgoing credential stays until somebody retires it by hand.
    if (codeOf(cause) === 'denied') return false
    throw cause
  }
}
