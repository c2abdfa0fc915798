import { applyEdits, modify } from 'jsonc-parser'
import { codeOf, RotationError } from '../../../core/errors.js'
import type { AnyRotator } from '../../../core/ports/rotator.js'
import type { SecretState } from '../../../core/ports/store.js'
import type { Policy, SecretRef } from '../../../core/ports/words.js'
import { nextFor } from '../../../core/remedies.js'
import { SecretText } from '../../../core/secret-text.js'
import { readShape } from '../../../core/shapes/index.js'
import { decide } from '../../decide/decide.js'
import { guarded } from '../../guard/index.js'
import type { Companion, Place } from '../../secret/deps.js'
import { lookAgain } from '../../secret/open.js'
import { dropPut, putUntested } from '../../secret/plain-put.js'
import { createTools, type Tools } from '../../secret/setup.js'

const artefactMsMax = 30_000
const classifyOwn = (cause: unknown) => codeOf(cause) ?? 'internal'

/** What is to be written, and for whom. */
export interface Source {
  readonly ref: SecretRef
  readonly rotator: AnyRotator
  readonly policy: Policy
  readonly text: SecretText
  /** When it was published; undefined where it is about to be. */
  readonly at: number | undefined
  /** Asked right before each write: whether this is still what has to stand there. */
  still(): Promise<boolean>
}

/** True where it had to be written. */
export async function writeCompanion(tools: Tools, companion: Companion, source: Source): Promise<boolean> {
  await assertIts(tools, companion, source)
  const place = await placeOf(tools, companion)
  if ('artefact' in place) {
    const { env } = tools.guard
    const text = publicSetOf(companion, source)
    if (text === undefined) return false
    const deadline = env.now() + artefactMsMax
    const call = { name: 'artefact.publish', ref: companion.at, effect: true, once: true, deadline, classify: classifyOwn } as const
    const write = (act: () => Promise<void>): Promise<void> => guarded(tools.guard, call, act)
    if (!(await source.still())) throw overtakenError(source)
    return (await place.artefact.publish(text, { env, deadline, write })) === 'written'
  }
  const there = createTools(place.deps)
  there.guard.redactor.learn(source.text)
  const ref = await there.store.resolve(companion.at)
  assertOther(companion, ref, source.ref)
  let written = false
  return lookAgain(
    `The companion ${companion.name}`,
    async () => {
      const state = await there.store.describe(ref)
      assertPlain(companion, state)
      const { current } = state
      if (current === undefined) throw notThereError(companion)
      const present = await there.store.read(ref, current.id)
      const wanted = textFor(companion, source, present)
      if (wanted === undefined || wanted.equals(present)) return written
      if (!(await source.still())) throw overtakenError(source)
      await putOnce(there, state, wanted)
      written = true
      return 'again'
    },
    isNever,
  )
}
/** What another writer did meanwhile is for whoever has the source. */
const isNever = (): boolean => false

/** Opens where a companion is written. bad_config where this role writes none. */
export async function placeOf({ deps }: Tools, companion: Companion): Promise<Place> {
  if (deps.openPlace !== undefined) return deps.openPlace(companion)
  throw new RotationError('bad_config', `The companion ${companion.name} cannot be written from here.`, {
    field: `companions.${companion.name}.at`,
    next: 'Run keyturn sweep where it can be.',
  })
}

function publicSetOf(companion: Companion, { rotator, policy, text, at }: Source) {
  const { publicHalf } = rotator
  if (publicHalf !== undefined && companion.content === 'public-set') return publicHalf.set(rotator.parse(text, policy), policy, at)
  const what =
    publicHalf === undefined ? `the rotator ${rotator.about.kind} has nothing public` : 'only a public set may stand outside the stores'
  throw cannotMakeError(companion, what)
}

const cannotMakeError = ({ name }: Companion, what: string): RotationError =>
  new RotationError('bad_config', `The companion ${name} cannot be made: ${what}.`, {
    field: `companions.${name}.content`,
    next: 'Name a secret of a store as its place, or take it out of keyturn-companions.',
  })

/** undefined: what stands there stays. */
function textFor(companion: Companion, source: Source, present: SecretText): SecretText | undefined {
  const { rotator, policy, text } = source
  if (companion.content === 'copy') return text
  if (companion.content === 'public-set') return publicSetOf(companion, source)?.asValue()
  const value = rotator.parse(text, policy)
  if (companion.content === 'digests') {
    if (rotator.digests !== undefined) return rotator.digests(value, policy)
    throw cannotMakeError(companion, `the rotator ${rotator.about.kind} has no digests`)
  }
  return writtenInto(companion, rotator, present, rotator.render(present, value))
}

/** Only into what has a place for it: nothing is added to a companion, whose readers may be others than those of the source. */
function writtenInto(companion: Companion, { identities }: AnyRotator, present: SecretText, rendered: SecretText): SecretText {
  const [before, after] = [readShape(present), readShape(rendered)]
  const noPlaceError = (what: string): RotationError =>
    new RotationError('bad_value', `The companion ${companion.name} (${companion.at}) ${what}.`, {
      field: `companions.${companion.name}.at`,
      next: 'Put it once with the credential in its place, as a password, a connection URL or the field of the same name.',
    })
  if (before.kind === 'url' && before.url.password === undefined) throw noPlaceError('is a URL without a password')
  if (before.kind !== 'json') return rendered
  if (after.kind !== 'json') throw noPlaceError('is JSON, and the source is not')
  const added = [...after.fields.keys()].filter((name) => !before.fields.has(name))
  const beside = added.every((name) => [...before.fields.keys()].some((there) => name.startsWith(`${there}_`)))
  if (added.length > 0 && !beside && identities === undefined) throw noPlaceError(`has no field ${added[0]}`)
  return added.reduce((text, name) => new SecretText(applyEdits(text.reveal(), modify(text.reveal(), [name], undefined, {}))), rendered)
}

/** One step towards a publication of `wanted`: a leftover that stands in the way is cleared first. The caller looks again. */
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
  const action = decide(state, { kind: 'put', ref: state.ref.shown, at: facts.now }, facts)
  if (action.do === 'refuse')
    throw new RotationError(action.code, `${state.ref.shown}: ${action.why}.`, { next: nextFor(action.code, state.ref.shown) })
  if (action.do === 'drop') await dropPut(there, state, action)
  else if (action.do !== 'done') await putUntested(there, state, action, wanted)
}

/** Whoever may write the tags of another secret must not put that one's keys where these are trusted. */
async function assertIts({ store }: Tools, { name, of }: Companion, { ref }: Source): Promise<void> {
  if (of === undefined) return
  const { store: kind, key } = await store.resolve(of)
  if (kind === ref.store && key === ref.key) return
  throw new RotationError('bad_config', `The companion ${name} is of ${of}, not of ${ref.shown}.`, {
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

/** One that is rotated itself, or has companions of its own, would write in a circle. */
export function assertPlain({ name, at }: Companion, { policy, drivenBy }: SecretState): void {
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

const overtakenError = ({ ref }: Source): RotationError =>
  new RotationError('conflict', `Another value of ${ref.shown} came in between.`, { next: 'The state is read again.' })

/** Makes a not_found error: a companion keeps the shape of what is there, so it is put first. */
export const notThereError = ({ name, at }: Companion): RotationError =>
  new RotationError('not_found', `The companion ${name} (${at}) has no value.`, {
    field: `companions.${name}.at`,
    next: `Put one first, whose shape it keeps: keyturn put ${at}; {} is enough for a public set.`,
  })
