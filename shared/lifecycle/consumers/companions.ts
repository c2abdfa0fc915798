import { codeOf, RotationError } from '../../core/errors.js'
import type { ConsumerState, Notifier, Preflight } from '../../core/ports/notifier.js'
import type { Claim, SecretState, SecretView, Seen } from '../../core/ports/store.js'
import type { SecretRef, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Companion, Deps } from '../secret/deps.js'
import { holdLease } from '../secret/lease.js'
import { opened, openSecret } from '../secret/open.js'
import { companionKind, createTools, type Setup, type Tools } from '../secret/setup.js'
import { assertPlain, notThereError, placeOf, type Source, writeCompanion } from './companions/write.js'

const againMs = 60_000

/**
 * Writes the companions marked `before` with a value that was tested and is about to be published, so that their readers are ready when it is.
 * Repeatable. conflict where somebody else continued meanwhile, and that value must not be published any more.
 */
export async function publishBefore(
  tools: Tools,
  { companions, policy, rotator }: Setup,
  { ref }: SecretState,
  version: VersionId,
  { isEmergency = false, claim }: { readonly isEmergency?: boolean; readonly claim?: Claim } = {},
): Promise<void> {
  if (rotator === undefined) return
  const still = async (): Promise<boolean> => {
    if (claim) await holdLease(tools, claim)
    const { pending, loose, current } = await tools.store.describe(ref)
    // It is current where a platform has published it, and this call is repeated.
    return [pending, current, ...loose].some((one) => one?.id === version)
  }
  const text = await tools.store.read(ref, version)
  const source: Source = { ref, rotator, policy, text, at: undefined, still }
  for (const companion of companions.filter(isBefore)) {
    try {
      await writeCompanion(tools, companion, source)
    } catch (cause) {
      // A key that leaked must not keep signing because one of several places is out of reach. That place is told like a consumer, again and again.
      if (!isEmergency || !(cause instanceof RotationError) || cause.code === 'conflict') throw cause
      const { code, message: why } = cause
      tools.deps.env.log('companion_behind', { companion: companion.name, code, why })
    }
  }
}

const isBefore = ({ order }: Companion): boolean => order === 'before'

/**
 * Writes the end of the key that signed until now into the public sets, right after a publication that nobody announces from here. Where that fails,
 * the key stays in the set until the next sweep or rotation, and nothing else is lost.
 */
export async function publishKeyExpiry(
  tools: Tools,
  { companions, policy, rotator }: Setup,
  ref: SecretRef,
  version: VersionId,
): Promise<void> {
  const sets = companions.filter(({ content }) => content === 'public-set')
  if (rotator === undefined || sets.length === 0) return
  const still = async (): Promise<boolean> => {
    const { current } = await tools.store.describe(ref)
    return current?.id === version
  }
  try {
    const text = await tools.store.read(ref, version)
    const source: Source = { ref, rotator, policy, text, at: tools.deps.env.now(), still }
    for (const companion of sets) await writeCompanion(tools, companion, source)
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    tools.deps.env.log('companion_behind', { code: cause.code, why: cause.message })
  }
}

/** A companion as a consumer of its source. It is drained only when it was written, or was seen to be right. It never gets an older value. */
export function companionNotifier(tools: Tools): Notifier {
  return {
    kind: companionKind,
    preflight: async ({ key }) => {
      const companion = (await tools.deps.configuration()).companions[key]
      return companion === undefined ? { verdict: 'ok' } : inspectCompanion(tools, companion)
    },
    advance: async ({ ref, version }, { key }, { env, value }) => {
      const { state, known } = opened(tools, await tools.store.describe(ref))
      const later = (again: number, evidence: string): ConsumerState => ({ phase: 'requested', again, evidence })
      if (state.current?.id !== version) return later(env.now(), 'a newer value is current')
      const { rotator, policy, companions } = await known()
      const companion = companions.find(({ name }) => name === key)
      if (companion === undefined || value === undefined) return { phase: 'drained', evidence: 'is not a companion any more' }
      if (mustWait(companion, state)) return later(env.now() + againMs, 'a newer value is about to be published')
      const still = stillCurrent(tools, companion, state)
      const source = { ref, rotator, policy, text: await value(), at: state.publishedAt, still }
      const written = await writeCompanion(tools, companion, source)
      const what = written ? 'was written' : 'is as it should be'
      return { phase: 'drained', evidence: `${companion.at} ${what}` }
    },
    classify: (cause) => codeOf(cause) ?? 'internal',
  }
}

/** bad_config before a value is made whose companion could never be written from here. It looks at the configuration only. */
export async function assertPlaces(tools: Tools, { companions }: Setup): Promise<void> {
  for (const companion of companions.filter(isBefore))
    await placeOf(tools, companion).catch((cause: unknown) => {
      // A place that is only out of reach now may be back when it counts.
      if (!(cause instanceof RotationError) || cause.code === 'bad_config') throw cause
    })
}

/** The time when the current value had reached the last of the places that get it before consumers do. Verifiers' waits count from there. */
export function reachedAt({ companions }: Pick<Setup, 'companions'>, state: SecretView): number {
  const { publishedAt, current, journal } = state
  const notes = companions.filter(isBefore).flatMap(({ name }) => journal?.seen?.[name] ?? [])
  const seen = notes.filter(({ version, phase }) => version === current?.id && phase === 'drained')
  return Math.max(publishedAt, ...seen.map(({ at }) => at))
}

/** A companion that was written, and why, for people. */
export interface Repaired {
  readonly companion: string
  readonly says: string
}

/**
 * Writes the companions that no longer carry what their source does. `whole`: compares each of them. Otherwise it compares only a secret that was
 * published to after it was last seen right; that costs one look and no read.
 */
export async function repairCompanions(deps: Deps, refText: string, whole: boolean): Promise<readonly Repaired[]> {
  const { tools, ref, state, setup } = await openSecret(deps, refText)
  const { rotator, policy, companions } = await setup()
  if (rotator === undefined || state.current === undefined) return []
  const repaired: Repaired[] = []
  const seen: Record<string, Seen> = {}
  let text: SecretText | undefined
  for (const companion of companions) {
    const { name, at } = companion
    if (mustWait(companion, state)) continue
    if (!whole && !(await isSuspect(tools, companion, state))) continue
    text ??= await tools.store.read(ref, state.current.id)
    const first = state.journal?.seen?.[name] === undefined
    const still = stillCurrent(tools, companion, state)
    const source = { ref, rotator, policy, text, at: state.publishedAt, still }
    const wrote = await writeCompanion(tools, companion, source)
    const what = first ? 'was written' : 'had drifted and was written again'
    if (wrote) repaired.push({ companion: name, says: `${at} ${what}` })
    // A secret that was published to is known to be right again. A file has no such time: its own time is when it was written.
    if (wrote || first || (!whole && !(await isArtefact(tools, companion))))
      seen[name] = { version: state.current.id, phase: 'drained', at: deps.env.now() }
  }
  if (Object.keys(seen).length > 0) await noteSeen(tools, state, { ...state.journal?.seen, ...seen })
  return repaired
}

const isArtefact = async (tools: Tools, companion: Companion): Promise<boolean> => 'artefact' in (await placeOf(tools, companion))

/** Returns whether any public set had to be written, and notes it. A set that is out of reach is tried again right before the publication. */
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
    // Without the note it is looked at once more, which does no harm.
    if (!['denied', 'conflict'].includes(codeOf(cause) ?? '')) throw cause
  }
}

/** A staged value has been, or will be, written to the companions that come before it: the current value must not replace it there. */
function mustWait(companion: Companion, { pending, loose, current }: SecretState): boolean {
  if (!isBefore(companion)) return false
  return pending?.hasValue === true || loose.some(({ base }) => base === current?.id)
}

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
  if ('artefact' in place) return true // it does not say when somebody wrote it
  const { store } = createTools(place.deps)
  const { publishedAt } = await store.describe(await store.resolve(companion.at))
  return publishedAt > seen.at
}

/** Whether a companion could be written at all, as far as a look says. unknown: it cannot be reached now. */
async function inspectCompanion(tools: Tools, companion: Companion): Promise<Preflight> {
  try {
    const place = await placeOf(tools, companion)
    if ('artefact' in place) return { verdict: 'ok' } // only a write shows that it can be written
    const { store } = createTools(place.deps)
    const state = await store.describe(await store.resolve(companion.at))
    assertPlain(companion, state)
    if (state.current === undefined) throw notThereError(companion)
    return { verdict: 'ok' }
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    const { code, message: why, next } = cause
    if (['bad_config', 'bad_event', 'not_found'].includes(code)) return { verdict: 'refuse', why, next }
    return { verdict: 'unknown', why }
  }
}

/** What a look at one companion found. */
export interface Inspected {
  readonly name: string
  readonly found: Preflight
}

/** Looks at every companion of the configuration, and asks whether it could be written. */
export async function inspectCompanions(deps: Deps): Promise<readonly Inspected[]> {
  const tools = createTools(deps)
  const { companions } = await deps.configuration()
  const inspect = async (one: Companion): Promise<Inspected> => ({
    name: one.name,
    found: await inspectCompanion(tools, one),
  })
  return Promise.all(Object.values(companions).map(inspect))
}
