import { applyEdits, modify } from 'jsonc-parser'
import { codeOf, RotationError } from '../../../core/errors.js'
import type { Artefact } from '../../../core/ports/artefact.js'
import type { AnyRotator } from '../../../core/ports/rotator.js'
import type { SecretState } from '../../../core/ports/store.js'
import type { Policy, SecretRef } from '../../../core/ports/words.js'
import { nextFor } from '../../../core/remedies.js'
import { SecretText } from '../../../core/secret-text.js'
import { readShape } from '../../../core/shapes/index.js'
import { structureOf } from '../../../core/shapes/structure.js'
import { decide } from '../../decide/decide.js'
import { guarded } from '../../guard/index.js'
import type { Companion, Place } from '../../secret/deps.js'
import { leased } from '../../secret/lease.js'
import { lookAgain } from '../../secret/open.js'
import { dropPut, putUntested } from '../../secret/plain-put.js'
import { createTools, type Tools } from '../../secret/setup.js'

const artefactMsMax = 30_000
const classifyOwn = (cause: unknown) => codeOf(cause) ?? 'internal'

/** The value to write, and the secret that it is of. */
export interface Source {
  readonly ref: SecretRef
  readonly rotator: AnyRotator
  readonly policy: Policy
  readonly text: SecretText
  /** When it was published; undefined where it is about to be. */
  readonly at: number | undefined
  /** Whether this is still the value that belongs there. It is asked right before each write. */
  still(): Promise<boolean>
}

/** Writes a companion from its source. Returns whether it had to be written. */
export async function writeCompanion(tools: Tools, companion: Companion, source: Source): Promise<boolean> {
  await assertIts(tools, companion, source)
  const place = await placeOf(tools, companion)
  if ('artefact' in place) return writeArtefact(tools, companion, source, place.artefact)
  return writeSecret(createTools(place.deps), companion, source)
}

async function writeArtefact({ guard }: Tools, companion: Companion, source: Source, artefact: Artefact): Promise<boolean> {
  const { env } = guard
  const text = publicSetOf(companion, source)
  if (text === undefined) return false
  const deadline = env.now() + artefactMsMax
  const call = {
    name: 'artefact.publish',
    ref: companion.at,
    effect: true,
    once: true,
    deadline,
    classify: classifyOwn,
  } as const
  const write = (act: () => Promise<void>): Promise<void> => guarded(guard, call, act)
  if (!(await source.still())) throw overtakenError(source)
  const outcome = await artefact.publish(text, { env, deadline, write })
  return outcome === 'written'
}

async function writeSecret(there: Tools, companion: Companion, source: Source): Promise<boolean> {
  there.guard.redactor.learn(source.text)
  const ref = await there.store.resolve(companion.at)
  assertOther(companion, ref, source.ref)
  let written = false
  const step = async (): Promise<boolean | 'again'> => {
    const state = await there.store.describe(ref)
    assertPlain(companion, state)
    const { current } = state
    if (current === undefined) throw notThereError(companion)
    const present = await there.store.read(ref, current.id)
    const wanted = textFor(companion, source, present)
    if (wanted === undefined || wanted.equals(present)) return written
    if (!(await source.still())) throw overtakenError(source)
    await leased(there, ref, () => putOnce(there, state, wanted))
    written = true
    return 'again'
  }
  return lookAgain(`The companion ${companion.name}`, step, isNever)
}
/** A race with another writer is left to whoever has the source. */
const isNever = (): boolean => false

/** Opens the place where a companion is written. bad_config where this role writes no companions. */
export async function placeOf({ deps }: Tools, companion: Companion): Promise<Place> {
  if (deps.openPlace !== undefined) return deps.openPlace(companion)
  throw new RotationError('bad_config', `The companion ${companion.name} cannot be written from here.`, {
    field: `companions.${companion.name}.at`,
    next: 'Run keyturn sweep where it can be.',
  })
}

function publicSetOf(companion: Companion, { rotator, policy, text, at }: Source) {
  const { publicHalf } = rotator
  if (publicHalf === undefined) throw cannotMakeError(companion, `the rotator ${rotator.about.kind} has nothing public`)
  if (companion.content !== 'public-set') throw cannotMakeError(companion, 'only a public set may be outside the stores')
  return publicHalf.set(rotator.parse(text, policy), policy, at)
}

const cannotMakeError = ({ name }: Companion, what: string): RotationError =>
  new RotationError('bad_config', `The companion ${name} cannot be made: ${what}.`, {
    field: `companions.${name}.content`,
    next: 'Name a secret of a store as its place, or remove it from keyturn-companions.',
  })

/** The text that belongs in a companion; undefined: what is there stays. */
function textFor(companion: Companion, source: Source, present: SecretText): SecretText | undefined {
  const { rotator, policy, text } = source
  if (companion.content === 'copy') return text
  if (companion.content === 'public-set') return publicSetOf(companion, source)?.asValue()
  const value = rotator.parse(text, policy)
  if (companion.content === 'digests') {
    if (rotator.digests !== undefined) return rotator.digests(value, policy)
    throw cannotMakeError(companion, `the rotator ${rotator.about.kind} has no digests`)
  }
  assertPlace(companion, present)
  return writtenInto(companion, rotator, present, rotator.render(present, value))
}

/** bad_value for a text that holds more than one credential: all of it would be replaced. */
function assertPlace(companion: Companion, present: SecretText): void {
  const what = readShape(present).kind === 'bare' ? structureOf(present.reveal()) : undefined
  if (what !== undefined) throw noPlaceError(companion, `is not one credential, but ${what}`)
}

/** Writes only into a companion that has a place for the credential. It adds no field: a companion's readers may be others than the source's. */
function writtenInto(companion: Companion, { identities }: AnyRotator, present: SecretText, rendered: SecretText): SecretText {
  const before = readShape(present)
  const after = readShape(rendered)
  if (before.kind === 'url' && before.url.password === undefined) throw noPlaceError(companion, 'is a URL without a password')
  if (before.kind !== 'json') return rendered
  if (after.kind !== 'json') throw noPlaceError(companion, 'is JSON, and the source is not')
  const names = [...before.fields.keys()]
  const added = [...after.fields.keys()].filter((name) => !before.fields.has(name))
  const isBeside = (name: string): boolean => names.some((there) => name.startsWith(`${there}_`))
  if (added.length > 0 && !added.every(isBeside) && identities === undefined) throw noPlaceError(companion, `has no field ${added[0]}`)
  let text = rendered.reveal()
  for (const name of added) text = applyEdits(text, modify(text, [name], undefined, {}))
  return new SecretText(text)
}

const noPlaceError = ({ name, at }: Companion, what: string): RotationError =>
  new RotationError('bad_value', `The companion ${name} (${at}) ${what}.`, {
    field: `companions.${name}.at`,
    next: 'Put it once with the credential in its place, as a password, a connection URL or the field of the same name.',
  })

/** One step towards a publication of `wanted`. It clears a leftover that is in the way first. The caller looks again. */
async function putOnce(there: Tools, state: SecretState, wanted: SecretText): Promise<void> {
  const facts = {
    now: there.deps.env.now(),
    slots: 1,
    graceMs: 0,
    mints: false,
    journal: false,
    consumers: false,
    rollback: 'none',
  } as const
  const { shown } = state.ref
  const action = decide(state, { kind: 'put', ref: shown, at: facts.now }, facts)
  if (action.do === 'refuse') {
    const { code, why } = action
    throw new RotationError(code, `${shown}: ${why}.`, { next: nextFor(code, shown) })
  }
  if (action.do === 'drop') await dropPut(there, state, action)
  else if (action.do !== 'done') await putUntested(there, state, action, wanted)
}

/** Somebody who may write the tags of another secret must not get that secret's keys into a place where this secret's keys are trusted. */
async function assertIts({ store }: Tools, { name, of }: Companion, { ref }: Source): Promise<void> {
  if (of === undefined) return
  const { store: kind, key } = await store.resolve(of)
  if (kind === ref.store && key === ref.key) return
  throw new RotationError('bad_config', `The companion ${name} belongs to ${of}, not to ${ref.shown}.`, {
    field: `companions.${name}.of`,
    next: 'Name another companion in keyturn-companions, with a place of its own.',
  })
}

function assertOther({ name }: Companion, place: SecretRef, source: SecretRef): void {
  if (place.store !== source.store || place.key !== source.key) return
  throw new RotationError('bad_config', `The companion ${name} of ${source.shown} is ${source.shown} itself.`, {
    field: `companions.${name}.at`,
    next: 'Name another secret.',
  })
}

/** bad_config for a companion that is rotated itself, or has companions of its own: it would be written from two sides, or in a circle. */
export function assertPlain({ name, at }: Companion, { policy, drivenBy }: SecretState): void {
  const isSet = (key: string): boolean => policy[key] !== undefined && policy[key] !== 'none'
  const named = ['keyturn-rotator', 'keyturn-companions'].find(isSet)
  const own = drivenBy === 'service' ? "its platform's rotation" : named
  if (own === undefined) return
  const why = `The companion ${name} (${at}) has ${own} itself: it would be written from two sides, or in a circle.`
  throw new RotationError('bad_config', why, {
    field: `companions.${name}.at`,
    next: `Remove that (keyturn release ${at}), or name another secret.`,
  })
}

const overtakenError = ({ ref }: Source): RotationError =>
  new RotationError('conflict', `The value of ${ref.shown} changed before its companion was written.`, { next: 'The state is read again.' })

/** Makes a not_found error: a companion keeps the shape of its present value, so a person puts one first. */
export const notThereError = ({ name, at }: Companion): RotationError =>
  new RotationError('not_found', `The companion ${name} (${at}) has no value.`, {
    field: `companions.${name}.at`,
    next: `Put one first (keyturn put ${at}): the companion keeps its shape. {} is enough for a public set.`,
  })
