import { codeOf, RotationError } from '../core/errors.js'
import type { Notifier } from '../core/ports/notifier.js'
import type { AnyRotator } from '../core/ports/rotator.js'
import type { SecretState, Seen } from '../core/ports/store.js'
import type { Policy, SecretRef } from '../core/ports/words.js'
import type { SecretText } from '../core/secret-text.js'
import { readShape } from '../core/shapes/index.js'
import { decide } from './decide.js'
import type { Companion, Deps, Place } from './deps.js'
import { dropPut } from './probe.js'
import { putUntested } from './put-untested.js'
import { nextFor } from './remedies.js'
import { companionKind, createTools, type Setup, type Tools, understand, withoutRotator } from './setup.js'

const roundsMax = 6
const artefactMsMax = 30_000
const againMs = 60_000

/** What is to be written, and for whom. */
interface Source {
  readonly ref: SecretRef
  readonly rotator: AnyRotator
  readonly policy: Policy
  readonly text: SecretText
  /** When it was published; now where it is about to be. */
  readonly at: number
  /** Asked right before each write: whether this is still what has to stand there. */
  still(): Promise<boolean>
}

/** Companions marked `before`, with a value that was tested and is about to be published: who reads them is ready when it is. Repeatable. */
export async function publishBefore(tools: Tools, { companions, policy, rotator }: Setup, ref: SecretRef, text: SecretText): Promise<void> {
  if (rotator === undefined) return
  const source: Source = { ref, rotator, policy, text, at: tools.deps.env.now(), still: async () => true }
  for (const companion of companions.filter(({ order }) => order === 'before')) await bring(tools, companion, source)
}

/** A companion as a consumer of its source: written, or seen to be as it should, and only then drained. Never with what is not current any more. */
export function companionNotifier(tools: Tools): Notifier {
  const sourceOf = async (ref: SecretRef) => {
    const state = await tools.store.describe(ref)
    return { state, setup: await understand(tools, state) }
  }
  return {
    kind: companionKind,
    traits: { proves: 'drained' },
    preflight: async () => ({ verdict: 'ok' }), // that it can be written is seen when it is, before anybody else is told
    advance: async ({ ref, version }, { key }, { env, value }) => {
      const { state, setup } = await sourceOf(ref)
      if (state.current?.id !== version) return { phase: 'requested', again: env.now(), evidence: 'a newer value is current' }
      const companion = setup.companions.find(({ name }) => name === key)
      const { rotator, policy } = setup
      if (rotator === undefined) throw withoutRotator(ref)
      if (companion === undefined || value === undefined) return { phase: 'drained', evidence: 'is no companion any more' }
      if (mayNotYet(companion, state))
        return { phase: 'requested', again: env.now() + againMs, evidence: 'a newer value is about to be published' }
      const source = { ref, rotator, policy, text: await value(), at: state.publishedAt, still: stillCurrent(tools, companion, state) }
      const written = await bring(tools, companion, source)
      return { phase: 'drained', evidence: `${companion.at} ${written ? 'was written' : 'is as it should be'}` }
    },
    classify: (cause) => codeOf(cause) ?? 'internal',
  }
}

export interface Healed {
  readonly companion: string
  readonly says: string
}

/**
 * Looks whether companions still carry what their source does, and writes those that do not. `whole`: compares each; else only a secret that was
 * published to after it was last seen right, which costs one look and no read.
 */
export async function healCompanions(deps: Deps, refText: string, whole: boolean): Promise<readonly Healed[]> {
  const tools = createTools(deps)
  const ref = await tools.store.resolve(refText)
  const state = await tools.store.describe(ref)
  const setup = await understand(tools, state)
  const { rotator, policy, companions } = setup
  if (rotator === undefined || state.current === undefined) return []
  const healed: Healed[] = []
  const seen: Record<string, Seen> = {}
  let text: SecretText | undefined
  for (const companion of companions) {
    if (mayNotYet(companion, state) || (!whole && !(await isSuspect(tools, companion, state)))) continue
    text ??= await tools.store.read(ref, state.current.id)
    const known = state.journal?.seen?.[companion.name]
    const first = known === undefined
    const source = { ref, rotator, policy, text, at: state.publishedAt, still: stillCurrent(tools, companion, state) }
    if (await bring(tools, companion, source))
      healed.push({ companion: companion.name, says: `${companion.at} ${first ? 'was written' : 'had drifted and was written again'}` })
    if (first || !whole) seen[companion.name] = { version: state.current.id, phase: 'drained', at: deps.env.now() }
  }
  if (Object.keys(seen).length > 0) await noteSeen(tools, state, { ...state.journal?.seen, ...seen })
  return healed
}

async function noteSeen({ store }: Tools, state: SecretState, seen: Readonly<Record<string, Seen>>): Promise<void> {
  try {
    await store.note(state, { seen })
  } catch (cause) {
    if (!['denied', 'conflict'].includes(codeOf(cause) ?? '')) throw cause // then it is looked at once more, which does no harm
  }
}

/** What is staged has been, or will be, written to companions that come before it: what is current now must not take its place again. */
const mayNotYet = ({ order }: Companion, { pending, loose, current }: SecretState): boolean =>
  order === 'before' && (pending?.hasValue === true || loose.some(({ base }) => base === current?.id))

const stillCurrent =
  (tools: Tools, companion: Companion, { ref, current }: SecretState) =>
  async (): Promise<boolean> => {
    const now = await tools.store.describe(ref)
    return now.current?.id === current?.id && !mayNotYet(companion, now)
  }

async function isSuspect(tools: Tools, companion: Companion, { journal, current }: SecretState): Promise<boolean> {
  const seen = journal?.seen?.[companion.name]
  if (seen === undefined) return true // it was named after the publication
  if (seen.phase !== 'drained' || seen.version !== current?.id) return false // the announcement is on its way there
  const place = await placeOf(tools, companion)
  if ('artefact' in place) return false
  const there = createTools(place.deps)
  return (await there.store.describe(await there.store.resolve(companion.at))).publishedAt > seen.at
}

/** True where it had to be written. */
async function bring(tools: Tools, companion: Companion, source: Source): Promise<boolean> {
  const place = await placeOf(tools, companion)
  if ('artefact' in place) {
    const { env } = tools.guard
    const text = publicSetOf(companion, source)
    if (!(await source.still())) throw overtaken(source)
    return (await place.artefact.publish(text, { env, deadline: env.now() + artefactMsMax })) === 'written'
  }
  const there = createTools(place.deps)
  there.guard.redactor.learn(source.text)
  const ref = await there.store.resolve(companion.at)
  assertOther(companion, ref, source.ref)
  for (let round = 0; round < roundsMax; round++) {
    const state = await there.store.describe(ref)
    assertPlain(companion, state)
    const { current } = state
    if (current === undefined) throw notThere(companion)
    const present = await there.store.read(ref, current.id)
    const wanted = textFor(companion, source, present)
    if (wanted.equals(present)) return round > 0
    if (!(await source.still())) throw overtaken(source)
    await putOnce(there, state, wanted)
  }
  throw new RotationError('conflict', `The companion ${companion.name} was not settled after ${roundsMax} looks.`, {
    next: 'The next sweep tries it again.',
  })
}

async function placeOf({ deps }: Tools, companion: Companion): Promise<Place> {
  if (deps.openPlace !== undefined) return deps.openPlace(companion)
  throw new RotationError('bad_config', `The companion ${companion.name} cannot be written from here.`, {
    field: `companions.${companion.name}.at`,
    next: 'Run keyturn sweep where it can be.',
  })
}

function publicSetOf(companion: Companion, { rotator, policy, text, at }: Source) {
  const set = rotator.publicSet?.(rotator.parse(text, policy), policy, at)
  if (set !== undefined && companion.content === 'public-set') return set
  const what = set === undefined ? `the rotator ${rotator.about.kind} has nothing public` : 'only a public set may stand outside the stores'
  throw cannotBeMade(companion, what)
}

const cannotBeMade = ({ name }: Companion, what: string): RotationError =>
  new RotationError('bad_config', `The companion ${name} cannot be made: ${what}.`, {
    field: `companions.${name}.content`,
    next: 'Name a secret of a store as its place, or take it out of keyturn-companions.',
  })

function textFor(companion: Companion, source: Source, present: SecretText): SecretText {
  const { rotator, policy, text } = source
  if (companion.content === 'copy') return text
  if (companion.content === 'public-set') return publicSetOf(companion, source).asValue()
  const value = rotator.parse(text, policy)
  if (companion.content === 'digests') {
    if (rotator.digests !== undefined) return rotator.digests(value, policy)
    throw cannotBeMade(companion, `the rotator ${rotator.about.kind} has no digests`)
  }
  readShape(present) // bad_value names what is wrong with it
  return rotator.render(present, value)
}

/** One step towards a publication of `wanted`: a leftover that stands in the way is cleared first. The caller looks again. */
async function putOnce(there: Tools, state: SecretState, wanted: SecretText): Promise<void> {
  const facts = { now: there.deps.env.now(), slots: 1, graceMs: 0, mints: false, journal: false, targets: false, rollback: 'none' } as const
  const action = decide(state, { kind: 'put', ref: state.ref.shown, at: facts.now }, facts)
  if (action.do === 'refuse')
    throw new RotationError(action.code, `${state.ref.shown}: ${action.why}.`, { next: nextFor(action.code, state.ref.shown) })
  if (action.do === 'drop') await dropPut(there, state, action)
  else if (action.do !== 'done') await putUntested(there, state, action, wanted)
}

function assertOther({ name }: Companion, place: SecretRef, source: SecretRef): void {
  if (place.store !== source.store || place.key !== source.key) return
  throw new RotationError('bad_config', `The companion ${name} of ${source.shown} is ${source.shown} itself.`, {
    field: `companions.${name}.at`,
    next: 'Name another secret.',
  })
}

/** One that is rotated itself, or has companions of its own, would write in a circle. */
function assertPlain({ name, at }: Companion, { policy, drivenBy }: SecretState): void {
  const named = ['keyturn-rotator', 'keyturn-companions'].find((key) => policy[key] !== undefined && policy[key] !== 'none')
  const own = drivenBy === 'service' ? "its platform's rotation" : named
  if (own === undefined) return
  throw new RotationError(
    'bad_config',
    `The companion ${name} (${at}) has ${own} itself: it would be written from two sides, or in a circle.`,
    {
      field: `companions.${name}.at`,
      next: `Take that away (keyturn release ${at}), or name another secret.`,
    },
  )
}

const overtaken = ({ ref }: Source): RotationError =>
  new RotationError('delivery_failed', `A newer value of ${ref.shown} came in between.`, { next: 'The next sweep looks again.' })

const notThere = ({ name, at }: Companion): RotationError =>
  new RotationError('not_found', `The companion ${name} (${at}) has no value.`, {
    field: `companions.${name}.at`,
    next: `Put one first, whose shape it keeps: keyturn put ${at}; {} is enough for a public set.`,
  })
