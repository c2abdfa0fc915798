import { codeOf, RotationError } from '../../core/errors.js'
import type { AnyRotator } from '../../core/ports/rotator.js'
import type { Retiring, SecretState } from '../../core/ports/store.js'
import type { CredentialId, VersionId } from '../../core/ports/words.js'

import { companionKind, type Known, type Setup, type Tools } from './setup.js'

/** Versions that left current and have no retiring entry: previous, and what a rotation had replaced before somebody else overtook it. */
function leftVersions({ current, previous, journal }: SecretState): readonly VersionId[] {
  const rotation = journal?.rotation
  // Published, also where a crash came before that was noted, and not current any more.
  const published = rotation?.published ?? (previous?.ours === rotation?.token ? previous?.id : undefined)
  const overtaken = published !== undefined && published !== current?.id ? [published, rotation?.base] : []
  const noted = new Set((journal?.retiring ?? []).map(({ version }) => version))
  const left = [previous?.id, ...overtaken].filter((id): id is VersionId => id !== undefined && id !== null)
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
    return idsOf(rotator, rotator.parse(await tools.store.read(state.ref, version), policy))
  } catch (cause) {
    if (codeOf(cause) === 'not_found' || codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}

/**
 * The retiring entries as they should be: one for each credential that left, none for one that is current again. waiting where consumers must
 * be seen first. The same for every caller, so that it may be repeated.
 */
export async function entriesDue(
  tools: Tools,
  setup: Known,
  state: SecretState,
  currentIds: readonly CredentialId[] = [],
): Promise<readonly Retiring[]> {
  // Of what is self-issued and takes no slot nothing is ever ended: it leaves the value by itself.
  if (!setup.rotator.traits.outside && setup.rotator.traits.slots(setup.policy) === null) return []
  const retained = await retainedIds(tools, setup, state)
  if (retained !== undefined) return retainedEntries(retained, setup.settings, state)
  const required = setup.consumers.some(({ required: asked, kind }) => asked && kind !== companionKind)
  const added: Retiring[] = []
  for (const version of leftVersions(state)) {
    for (const id of (await identitiesOf(tools, setup, state, version)) ?? []) {
      if (currentIds.includes(id) || added.some((entry) => entry.id === id)) continue
      const since = state.publishedAt
      added.push({ id, version, since, notBefore: since + setup.settings.graceMs, state: required ? 'waiting' : 'undeclared' })
    }
  }
  // The account left once more: what was found out about it before says nothing about now. Of what is self-issued nothing is kept outside, so only previous counts.
  const kept = (state.journal?.retiring ?? []).filter(
    ({ id, version, state: phase }) =>
      !currentIds.includes(id) &&
      !(phase !== 'armed' && phase !== 'disabled' && added.some((entry) => entry.id === id)) &&
      (setup.rotator.traits.outside || version === state.previous?.id),
  )
  const fresh = added.filter(({ id }) => !kept.some((entry) => entry.id === id))
  return [...kept, ...fresh]
}

/** Every credential of a value by name: several where it has parts. */
export const idsOf = ({ identify, identities }: AnyRotator, value: unknown): readonly CredentialId[] =>
  identities?.(value) ?? [identify(value)]

/** What left current and is still in the value, because something may need it: undefined for a kind that keeps nothing. */
export async function retainedIds(
  tools: Tools,
  { rotator, policy }: Known,
  { ref, current }: SecretState,
): Promise<readonly CredentialId[] | undefined> {
  if (rotator.older === undefined || current === undefined) return undefined
  return rotator.older.retained(rotator.parse(await tools.store.read(ref, current.id), policy))
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
