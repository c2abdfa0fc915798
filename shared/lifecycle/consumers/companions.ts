import { codeOf, RotationError } from '../../core/errors.js'
import type { Notifier, Preflight } from '../../core/ports/notifier.js'
import type { SecretState, SecretView, Seen } from '../../core/ports/store.js'
import type { SecretRef, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Companion, Deps } from '../secret/deps.js'
import { opened, openSecret } from '../secret/open.js'
import { companionKind, createTools, type Setup, type Tools } from '../secret/setup.js'
import { assertPlain, notThereError, placeOf, type Source, writeCompanion } from './companions/write.js'

const againMs = 60_000

/**
 * Companions marked `before`, with a value that was tested and is about to be published: who reads them is ready when it is. Repeatable. conflict
 * where somebody else went on meanwhile, and that value is not to be published any more.
 */
export async function publishBefore(
  tools: Tools,
  { companions, policy, rotator }: Setup,
  { ref }: SecretState,
  version: VersionId,
  emergency = false,
): Promise<void> {
  if (rotator === undefined) return
  const still = async (): Promise<boolean> => {
    const { pending, loose, current } = await tools.store.describe(ref)
    return [pending, current, ...loose].some((one) => one?.id === version) // current: a platform published it, and this call is repeated
  }
  const source: Source = { ref, rotator, policy, text: await tools.store.read(ref, version), at: undefined, still }
  for (const companion of companions.filter(({ order }) => order === 'before')) {
    try {
      await writeCompanion(tools, companion, source)
    } catch (cause) {
      // What leaked must not sign on because one of several places is out of reach: that one is told like a consumer, again and again.
      if (!emergency || !(cause instanceof RotationError) || cause.code === 'conflict') throw cause
      tools.deps.env.log('companion_behind', { companion: companion.name, code: cause.code, why: cause.message })
    }
  }
}

/**
 * Right after the publication, where nobody announces it from here: public sets get the end of the key that signed until now. What fails costs only
 * that: the key stays in the set until the next sweep or rotation.
 */
export async function publishKeyExpiry(
  tools: Tools,
  { companions, policy, rotator }: Setup,
  ref: SecretRef,
  version: VersionId,
): Promise<void> {
  const sets = companions.filter(({ content }) => content === 'public-set')
  if (rotator === undefined || sets.length === 0) return
  const still = async (): Promise<boolean> => (await tools.store.describe(ref)).current?.id === version
  try {
    const source: Source = { ref, rotator, policy, text: await tools.store.read(ref, version), at: tools.deps.env.now(), still }
    for (const companion of sets) await writeCompanion(tools, companion, source)
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    tools.deps.env.log('companion_behind', { code: cause.code, why: cause.message })
  }
}

/** A companion as a consumer of its source: written, or seen to be as it should, and only then drained. Never with what is not current any more. */
export function companionNotifier(tools: Tools): Notifier {
  return {
    kind: companionKind,
    preflight: async ({ key }) => {
      const companion = (await tools.deps.configuration()).companions[key]
      return companion === undefined ? { verdict: 'ok' } : inspectCompanion(tools, companion)
    },
    advance: async ({ ref, version }, { key }, { env, value }) => {
      const { state, known } = opened(tools, await tools.store.describe(ref))
      if (state.current?.id !== version) return { phase: 'requested', again: env.now(), evidence: 'a newer value is current' }
      const { rotator, policy, companions } = await known()
      const companion = companions.find(({ name }) => name === key)
      if (companion === undefined || value === undefined) return { phase: 'drained', evidence: 'is no companion any more' }
      if (mustWait(companion, state))
        return { phase: 'requested', again: env.now() + againMs, evidence: 'a newer value is about to be published' }
      const source = { ref, rotator, policy, text: await value(), at: state.publishedAt, still: stillCurrent(tools, companion, state) }
      const written = await writeCompanion(tools, companion, source)
      return { phase: 'drained', evidence: `${companion.at} ${written ? 'was written' : 'is as it should be'}` }
    },
    classify: (cause) => codeOf(cause) ?? 'internal',
  }
}

/** bad_config before a value is made for which a companion could never be written from here. Nothing is looked at but the configuration. */
export async function assertPlaces(tools: Tools, { companions }: Setup): Promise<void> {
  for (const companion of companions.filter(({ order }) => order === 'before'))
    await placeOf(tools, companion).catch((cause: unknown) => {
      if (!(cause instanceof RotationError) || cause.code === 'bad_config') throw cause // what is only out of reach now may be back when it counts
    })
}

/** When what is current had reached the last of the places that have it before consumers do: what verifiers learn of counts from there. */
export function reachedAt({ companions }: Pick<Setup, 'companions'>, { publishedAt, current, journal }: SecretView): number {
  const seen = companions.filter(({ order }) => order === 'before').flatMap(({ name }) => journal?.seen?.[name] ?? [])
  return Math.max(publishedAt, ...seen.filter(({ version, phase }) => version === current?.id && phase === 'drained').map(({ at }) => at))
}

/** A companion that was written, and why, for people. */
export interface Healed {
  readonly companion: string
  readonly says: string
}

/**
 * Looks whether companions still carry what their source does, and writes those that do not. `whole`: compares each; else only a secret that was
 * published to after it was last seen right, which costs one look and no read.
 */
export async function repairCompanions(deps: Deps, refText: string, whole: boolean): Promise<readonly Healed[]> {
  const { tools, ref, state, setup } = await openSecret(deps, refText)
  const { rotator, policy, companions } = await setup()
  if (rotator === undefined || state.current === undefined) return []
  const healed: Healed[] = []
  const seen: Record<string, Seen> = {}
  let text: SecretText | undefined
  for (const companion of companions) {
    if (mustWait(companion, state) || (!whole && !(await isSuspect(tools, companion, state)))) continue
    text ??= await tools.store.read(ref, state.current.id)
    const known = state.journal?.seen?.[companion.name]
    const first = known === undefined
    const source = { ref, rotator, policy, text, at: state.publishedAt, still: stillCurrent(tools, companion, state) }
    const wrote = await writeCompanion(tools, companion, source)
    if (wrote)
      healed.push({ companion: companion.name, says: `${companion.at} ${first ? 'was written' : 'had drifted and was written again'}` })
    // A secret that was published to is known to be right again; a file has no such time, and its own is when it was written.
    if (wrote || first || (!whole && !('artefact' in (await placeOf(tools, companion)))))
      seen[companion.name] = { version: state.current.id, phase: 'drained', at: deps.env.now() }
  }
  if (Object.keys(seen).length > 0) await noteSeen(tools, state, { ...state.journal?.seen, ...seen })
  return healed
}

/** Whether any of them had to be written, which is noted; one that is out of reach is met again right before the publication. */
export async function repairPublicSets({ deps }: Tools, { shown }: SecretRef): Promise<boolean> {
  try {
    return (await repairCompanions(deps, shown, true)).length > 0
  } catch (cause) {
    if (!(cause instanceof RotationError) || cause.remedy === 'human') throw cause
    deps.env.log('companion_behind', { code: cause.code, why: cause.message })
    return false
  }
}

async function noteSeen({ store }: Tools, state: SecretState, seen: Readonly<Record<string, Seen>>): Promise<void> {
  try {
    await store.note(state, { seen })
  } catch (cause) {
    if (!['denied', 'conflict'].includes(codeOf(cause) ?? '')) throw cause // then it is looked at once more, which does no harm
  }
}

/** What is staged has been, or will be, written to companions that come before it: what is current now must not take its place again. */
const mustWait = ({ order }: Companion, { pending, loose, current }: SecretState): boolean =>
  order === 'before' && (pending?.hasValue === true || loose.some(({ base }) => base === current?.id))

const stillCurrent =
  (tools: Tools, companion: Companion, { ref, current }: SecretState) =>
  async (): Promise<boolean> => {
    const now = await tools.store.describe(ref)
    return now.current?.id === current?.id && !mustWait(companion, now)
  }

async function isSuspect(tools: Tools, companion: Companion, { journal, current }: SecretState): Promise<boolean> {
  const seen = journal?.seen?.[companion.name]
  if (seen === undefined) return true // it was named after the publication
  if (seen.phase !== 'drained' || seen.version !== current?.id) return false // the announcement is on its way there
  const place = await placeOf(tools, companion)
  if ('artefact' in place) return true // it has no time of its own to tell
  const there = createTools(place.deps)
  return (await there.store.describe(await there.store.resolve(companion.at))).publishedAt > seen.at
}

/** Whether it could be written at all, as far as a look says. unknown: not reachable now. */
async function inspectCompanion(tools: Tools, companion: Companion): Promise<Preflight> {
  try {
    const place = await placeOf(tools, companion)
    if ('artefact' in place) return { verdict: 'ok' } // that it can be written is seen when it is
    const { store } = createTools(place.deps)
    const state = await store.describe(await store.resolve(companion.at))
    assertPlain(companion, state)
    if (state.current === undefined) throw notThereError(companion)
    return { verdict: 'ok' }
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    const refused = cause.code === 'bad_config' || cause.code === 'not_found'
    return refused ? { verdict: 'refuse', why: cause.message, next: cause.next } : { verdict: 'unknown', why: cause.message }
  }
}

/** For who looks at everything: the same question about each companion of the configuration. */
export async function inspectCompanions(deps: Deps): Promise<readonly { readonly name: string; readonly found: Preflight }[]> {
  const tools = createTools(deps)
  const companions = Object.values((await deps.configuration()).companions)
  return Promise.all(companions.map(async (one) => ({ name: one.name, found: await inspectCompanion(tools, one) })))
}
