import { atMostOnce } from '../../core/at-most-once.js'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { SecretState } from '../../core/ports/store.js'
import { type RotationRequest, type SecretRef, type Step, steps, type VersionId } from '../../core/ports/words.js'
import { nextFor } from '../../core/remedies.js'
import type { SecretText } from '../../core/secret-text.js'
import { assertPlaces, repairPublicSets } from '../consumers/companions.js'
import { type Action, isHeld } from '../decide/action.js'
import { decide } from '../decide/decide.js'
import { ownToken } from '../decide/publication.js'
import { confirmUnknown } from '../secret/confirm.js'
import type { Deps, RotationResult } from '../secret/deps.js'
import { endLease, leased } from '../secret/lease.js'
import { lookAgain, opened } from '../secret/open.js'
import { noteOutgoing } from '../secret/outgoing.js'
import { dropPut, putUntested } from '../secret/plain-put.js'
import { assertAdopted, assertConsumers, createTools, type Known, type Setup, type Tools } from '../secret/setup.js'
import { named, type ReadVersion, trialOfCurrent } from '../secret/trial.js'
import { answersRequest, explainOpenRotation, finishedFirstError } from './answers.js'
import { factsOf } from './facts.js'
import { blocks, previousWorks } from './first-look.js'
import { freeSlot } from './free-slot.js'
import { provePut } from './put-on-stuck.js'
import { runSteps } from './run-steps.js'
import { probe } from './stray-values.js'
import { assertNotTooEarly } from './too-early.js'
import { type Manner, openWork, ownManner, readBase } from './work.js'

type Go = Extract<Action, { do: 'go' }>

/**
 * The only loop: describe, decide, act. It decides again when a race was lost, or when it finished somebody else's rotation first. The same request
 * may be sent any number of times. `suppliedValue`: the value of a put. It fails with any code of the table.
 */
export async function rotate(deps: Deps, request: RotationRequest, suppliedValue?: SecretText): Promise<RotationResult> {
  const tools = createTools(deps)
  tools.guard.redactor.learn(suppliedValue)
  const ref = await tools.store.resolve(request.ref)
  let finished: RotationResult | undefined
  return lookAgain(
    ref.shown,
    async () => {
      try {
        const result = await once(tools, ref, request, suppliedValue)
        if (result === 'again') return result
        if (result.outcome === 'unchanged') return finished ?? result
        if (result.outcome === 'step' || answersRequest(request, result)) return result
        if (request.kind === 'rollback') throw finishedFirstError(result)
        finished = result
        return 'again'
      } catch (cause) {
        if (!(cause instanceof RotationError)) throw cause
        if (request.kind !== 'put' || isOld(cause, request)) throw named(cause, ref.shown)
        throw await explainOpenRotation(tools, ref, request, cause)
      }
    },
    (cause) => isOld(cause, request),
  )
}

/** Whether the state has to be decided again. Where a single step was asked for, a refusal of the target is left to another step. */
function isOld(cause: unknown, { step }: RotationRequest): boolean {
  if (!(cause instanceof RotationError) || cause.remedy !== 'reread') return false
  return cause.code !== 'rejected' || step === undefined
}

async function once(
  tools: Tools,
  ref: SecretRef,
  request: RotationRequest,
  suppliedValue: SecretText | undefined,
): Promise<RotationResult | 'again'> {
  const { kind } = request
  const state = await tools.store.describe(ref)
  const ways = kind === 'rotate' ? 'forward' : 'back'
  // A placeholder may have taken the place of what said what the secret holds; the other versions of the state still say it.
  const versions = kind === 'rollback' ? none : undefined
  const setup = await opened(tools, state, { ways, wanted: request, ...optional('versions', versions) }).setup()
  const action = await decided(tools, setup, state, request)
  if (action.do === 'done') return { ref, outcome: 'unchanged', kind, version: action.version, steps: [], differences: [] }
  if (setup.rotator !== undefined && isNew(request) && begins(action)) assertAdopted(tools, state)
  if (kind === 'rotate' && begins(action)) assertConsumers(setup)
  if (action.do === 'refuse') throw refusedError(ref, action)
  const { rotator } = setup
  if (action.do === 'drop') {
    await leased(tools, ref, () => dropPut(tools, state, action))
    return 'again'
  }
  if (rotator === undefined) return leased(tools, ref, () => putUntested(tools, state, action, suppliedValue))
  if (action.do === 'probe') {
    await leased(tools, ref, () => probe(tools, { ...setup, rotator }, state, action))
    if (action.leftover) await endLease(tools, ref) // it was claimed for nothing else
    return 'again'
  }
  if (action.do === 'prove') {
    const begin = await provePut(tools, { ...setup, rotator }, state, action.begin, suppliedValue)
    return begin === 'again' ? begin : leased(tools, ref, () => go(tools, { ...setup, rotator }, state, request, begin, suppliedValue))
  }
  if (action.do === 'check') throw refusedError(ref, notMade)
  return leased(tools, ref, () => go(tools, { ...setup, rotator }, state, request, action, suppliedValue))
}

/** No versions beside those of the state. */
async function* none(): AsyncIterable<never> {}

/** Whether a rotation is asked for, or its first step. */
const isNew = ({ kind, step }: RotationRequest): boolean => (kind === 'rotate' || kind === 'emergency') && (step ?? 'create') === 'create'

const notMade = {
  do: 'refuse',
  code: 'bad_event',
  why: 'the platform drives this rotation, and has not made a value for it yet',
} as const

/** What the table says about this state and request, with all the facts that the table needs. The log records it. */
export async function decided(
  tools: Tools,
  setup: Setup,
  state: SecretState,
  request: RotationRequest,
): Promise<Action & { readonly row: string }> {
  const { rotator } = setup
  const asksPrevious = request.kind === 'rollback' && rotator
  const asksCurrent = ['put', 'rollback'].includes(request.kind) && rotator
  const unreadable = asksCurrent ? await blocks(tools, { ...setup, rotator }, state, request.kind) : false
  const accepted = asksPrevious ? await previousWorks(tools, { ...setup, rotator }, state, unreadable) : undefined
  const facts = {
    ...factsOf(tools, setup, state),
    ...optional('previousAccepted', accepted),
    ...(unreadable ? { unreadable: true as const } : {}),
  }
  const action = decide(state, request, facts)
  tools.deps.env.log('decided', { ref: state.ref.shown, row: action.row, action: action.do })
  return action
}

/** Whether a new rotation would start, or would start if nothing held it. */
export function begins(action: Action): boolean {
  if (action.do === 'go') return action.from === 'create'
  return isHeld(action)
}

/** The table's own refusal as an error, with its next step. */
export function refusedError({ shown }: SecretRef, action: Extract<Action, { do: 'refuse' }>): RotationError {
  const { code, why, next } = action
  return new RotationError(code, `${shown}: ${why}.`, {
    next: next?.replaceAll('<ref>', shown) ?? nextFor(code, shown),
  })
}

/** Claims and runs what was decided. 'again': something had to be noted or repaired first. */
export async function go(
  tools: Tools,
  setup: Known,
  state: SecretState,
  request: RotationRequest,
  action: Go,
  suppliedValue?: SecretText,
  manner: Manner = ownManner,
): Promise<RotationResult | 'again'> {
  const asked = stepsAsked(request, action)
  if (asked.length === 0) return { ref: state.ref, outcome: 'unchanged', kind: action.kind, steps: [], differences: [] }
  const mayNote = manner.mayNote && tools.deps.journal
  const reading = readingOnce(tools, state)
  const starts = action.from === 'create' && action.token !== state.journal?.rotation?.token
  await confirmUnknown(tools, state) // claim does it too late for a note
  if (mayNote && starts && (await noteOutgoing(tools, setup, state))) return 'again'
  if (action.from === 'create') {
    // A place of the public set that was named since, or written past us, has to be right for as long as the others.
    const repairs = mayNote && action.kind === 'rotate' && setup.rotator.publicHalf !== undefined
    if (repairs && (await repairPublicSets(tools, state.ref))) return 'again'
    await assertMayCreate(tools, setup, state, action, manner, reading)
  }
  const needs = manner.needs(setup, asked)
  // Read before the claim, so that a value that cannot be read leaves no rotation open.
  const base = needs.base && action.from === 'create' && action.base !== null ? await reading(action.base) : undefined
  if (base) readBase(setup.rotator, setup.policy, base, action.kind)
  const token = action.token ?? ownToken(state, action)
  const claim = await tools.store.claim(state, {
    token,
    kind: action.kind,
    holder: tools.deps.holder,
    leaseMs: tools.deps.leaseMs,
    ...(action.token === undefined ? { derived: true as const } : {}),
    ...optional('replaces', action.replaces),
    ...optional('reason', request.reason),
  })
  const work = await openWork(tools, setup, state, { ...claim, base: action.base }, { ...manner, needs, ...optional('baseText', base) })
  if (action.retireFirst !== undefined && asked.includes('create')) await freeSlot(work, action.retireFirst)
  return runSteps(work, state, action, asked, suppliedValue)
}

/** Reads each version at most once: a value is checked in several ways before it is claimed, and does not change. */
function readingOnce({ store }: Tools, { ref }: SecretState): ReadVersion {
  const readings = new Map<VersionId, () => Promise<SecretText>>()
  return (version) => {
    const reading = readings.get(version) ?? atMostOnce(() => store.read(ref, version))
    readings.set(version, reading)
    return reading()
  }
}

async function assertMayCreate(
  tools: Tools,
  setup: Known,
  state: SecretState,
  { kind }: Go,
  { vouched }: Manner,
  read: ReadVersion,
): Promise<void> {
  if (kind === 'rotate' || kind === 'emergency') {
    await assertNotTooEarly(tools, setup, state, kind, read)
    // What is refused before anything is claimed leaves no open rotation behind. A platform has begun its own before it asks.
    if (!vouched) await trialOfCurrent(tools, setup, state, read)
  }
  if (kind !== 'rollback') await assertPlaces(tools, setup)
}

/** All steps from the action's first one on, or exactly the asked step; none where that is done already. bad_event where it comes too early. */
function stepsAsked(request: RotationRequest, action: Go): readonly Step[] {
  const from = steps.indexOf(action.from)
  if (request.step === undefined) return steps.slice(from)
  const asked = steps.indexOf(request.step)
  if (asked < from) return []
  if (asked > from && action.from === 'create') {
    throw new RotationError('bad_event', `Step ${request.step} was asked for, but nothing is pending.`, {
      field: 'step',
      next: 'Run the step create first.',
    })
  }
  return [request.step]
}
