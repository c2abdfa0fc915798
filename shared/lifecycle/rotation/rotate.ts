import { isDeepStrictEqual } from 'node:util'
import { codeOf, RotationError } from '../../core/errors.js'
import { deriveToken } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { SecretState } from '../../core/ports/store.js'
import { type RotationRequest, type SecretRef, type Step, steps, type VersionId } from '../../core/ports/words.js'
import { nextFor } from '../../core/remedies.js'
import type { SecretText } from '../../core/secret-text.js'
import { assertPlaces, repairPublicSets } from '../consumers/companions.js'
import type { Action } from '../decide/action.js'
import { decide } from '../decide/decide.js'
import { isDue } from '../decide/publication.js'
import { lookContext } from '../secret/context.js'
import type { Deps, RotationResult } from '../secret/deps.js'
import { endLease } from '../secret/lease.js'
import { lookAgain, opened } from '../secret/open.js'
import { entriesDue, identitiesOf } from '../secret/outgoing.js'
import { dropPut, putUntested } from '../secret/plain-put.js'
import { assertConsumers, createTools, type Known, type Setup, type Tools } from '../secret/setup.js'
import { factsOf } from './facts.js'
import { freeSlot } from './free-slot.js'
import { runSteps } from './run-steps.js'
import { probe } from './stray-values.js'
import { assertNotTooEarly } from './too-early.js'
import { type Manner, openWork, ownManner } from './work.js'

/**
 * The only loop: describe, decide, act; decides again when a race was lost or when it finished somebody else's rotation first. The same request
 * may be sent any number of times. `suppliedValue`: the value of a put. Any code of the table.
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
        if (request.kind !== 'put' || !(cause instanceof RotationError) || isOld(cause, request)) throw cause
        throw await explainOpenRotation(tools, ref, request, cause)
      }
    },
    (cause) => isOld(cause, request),
  )
}

/** To be decided again. What the target refused of one step alone is another step's work. */
const isOld = (cause: unknown, { step }: RotationRequest): boolean =>
  cause instanceof RotationError && cause.remedy === 'reread' && !(cause.code === 'rejected' && step !== undefined)

/** A put that first has to finish somebody else's rotation fails for that one's reasons: say so, and how to get past it. */
async function explainOpenRotation(tools: Tools, ref: SecretRef, { token }: RotationRequest, cause: RotationError): Promise<RotationError> {
  const { pending, journal } = await tools.store.describe(ref)
  if (pending === undefined || pending.token === token || journal?.rotation?.published !== undefined) return cause
  const next = `An older rotation is open, which has to be finished first: keyturn recover ${ref.shown} gives its value up where that is safe. ${cause.next}`
  return new RotationError(cause.code, cause.message, {
    next,
    cause: cause.cause,
    ...optional('field', cause.field),
  })
}

/** What was previous when the rollback was asked is not any more: to go on would bring back what somebody wanted to leave. */
const finishedFirstError = ({ ref, version }: RotationResult): RotationError =>
  new RotationError('held', `A rotation of ${ref.shown} was open and is finished now: ${version} is current. Nothing was rolled back.`, {
    next: `Look at keyturn status ${ref.shown}; if it is still to go back, run the same command again.`,
  })

/** A publication under another token than the one asked for was somebody else's: the request itself is still to be decided. */
const answersRequest = (request: RotationRequest, result: RotationResult): boolean =>
  // Which parts an open one was for is not known: what was asked for is begun after it.
  (request.part === undefined || result.steps.includes('create')) &&
  (request.token === undefined || request.kind === 'rollback'
    ? result.kind === request.kind || request.kind === 'resume'
    : result.token === request.token)

async function once(
  tools: Tools,
  ref: SecretRef,
  request: RotationRequest,
  suppliedValue: SecretText | undefined,
): Promise<RotationResult | 'again'> {
  const state = await tools.store.describe(ref)
  const setup = await opened(tools, state, { ways: request.kind === 'rotate' ? 'forward' : 'back', wanted: request }).setup()
  const action = await decided(tools, setup, state, request)
  if (action.do === 'done') return { ref, outcome: 'unchanged', kind: request.kind, version: action.version, steps: [], differences: [] }
  if (request.kind === 'rotate' && begins(action)) assertConsumers(setup)
  if (action.do === 'refuse') throw refusedError(ref, action)
  const { rotator } = setup
  if (action.do === 'drop') {
    await leased(tools, ref, () => dropPut(tools, state, action))
    return 'again'
  }
  if (rotator === undefined) return leased(tools, ref, () => putUntested(tools, state, action, suppliedValue))
  if (action.do === 'probe') {
    await leased(tools, ref, () => probe(tools, { ...setup, rotator }, state, action))
    return 'again'
  }
  if (action.do === 'check')
    throw refusedError(ref, { do: 'refuse', code: 'bad_event', why: 'the platform drives this rotation, and no value was made for it yet' })
  return leased(tools, ref, () => go(tools, { ...setup, rotator }, state, request, action, suppliedValue))
}

/** What the table says of this state and request, with everything that it asks; said in the log. */
export async function decided(
  tools: Tools,
  setup: Setup,
  state: SecretState,
  request: RotationRequest,
): Promise<Action & { readonly row: string }> {
  const { rotator } = setup
  const accepted = request.kind === 'rollback' && rotator ? await previousWorks(tools, { ...setup, rotator }, state) : undefined
  const action = decide(state, request, { ...factsOf(tools, setup, state), ...optional('previousAccepted', accepted) })
  tools.deps.env.log('decided', { ref: state.ref.shown, row: action.row, action: action.do })
  return action
}

/** A new rotation would start, or would if nothing held it. */
export const begins = (action: Action): boolean =>
  (action.do === 'go' && action.from === 'create') || (action.do === 'refuse' && action.code === 'held')

/** A rollback goes only to what is still accepted: one login, before anything is claimed. */
async function previousWorks(tools: Tools, setup: Known, state: SecretState): Promise<boolean | undefined> {
  const { rotator, policy } = setup
  const open = state.journal?.rotation?.published === undefined && state.journal?.rotation !== undefined
  const ending = (state.journal?.retiring ?? []).some((entry) => entry.state === 'armed' || entry.state === 'disabled')
  if (open || ending || state.journal?.code !== undefined || state.previous === undefined) return undefined
  if (rotator.traits.rollback(policy) !== 'publish') return undefined // it is set again, whatever the target says of it now
  const parsedOf = async (id: VersionId) => rotator.parse(await tools.store.read(state.ref, id), policy)
  const own = !rotator.traits.outside && state.current ? { current: await parsedOf(state.current.id) } : {}
  const context = { ...(await lookContext(tools, setup, state)), ...own }
  return rotator.accepted(context, await parsedOf(state.previous.id))
}

/** The table's own refusal as an error, with its next step. */
export function refusedError(ref: SecretRef, action: Extract<Action, { do: 'refuse' }>): RotationError {
  return new RotationError(action.code, `${ref.shown}: ${action.why}.`, {
    next: action.next?.replaceAll('<ref>', ref.shown) ?? nextFor(action.code, ref.shown),
  })
}

/** An orderly end gives the right to act back; a crash leaves it to the lease. */
async function leased<T>(tools: Tools, ref: SecretRef, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if (codeOf(cause) !== 'locked') await endLease(tools, ref)
    throw cause
  }
}

/** Claims and runs what was decided. 'again': something had to be noted or repaired first. */
export async function go(
  tools: Tools,
  setup: Known,
  state: SecretState,
  request: RotationRequest,
  action: Extract<Action, { do: 'go' }>,
  suppliedValue?: SecretText,
  manner: Manner = ownManner,
): Promise<RotationResult | 'again'> {
  const asked = stepsAsked(request, action)
  if (asked.length === 0) return { ref: state.ref, outcome: 'unchanged', kind: action.kind, steps: [], differences: [] }
  const mayNote = manner.mayNote && tools.deps.journal
  if (mayNote && (await entriesNoted(tools, setup, state, action))) return 'again'
  if (action.from === 'create') {
    // A place of the public set that was named since, or written past us, has to be right for as long as the others.
    const repairs = mayNote && action.kind === 'rotate' && setup.rotator.publicHalf !== undefined
    if (repairs && (await repairPublicSets(tools, state.ref))) return 'again'
    if (action.kind === 'rotate' || action.kind === 'emergency') await assertNotTooEarly(tools, setup, state, action.kind)
    if (action.kind !== 'rollback') await assertPlaces(tools, setup)
  }
  const token = action.token ?? deriveToken(action.kind, state.ref, action.base, action.refusals)
  const claim = await tools.store.claim(state, {
    token,
    kind: action.kind,
    holder: tools.deps.holder,
    leaseMs: tools.deps.leaseMs,
    ...(action.token === undefined ? { derived: true as const } : {}),
    ...optional('replaces', action.replaces),
    ...optional('reason', request.reason),
  })
  const work = await openWork(tools, setup, state, { ...claim, base: action.base }, { ...manner, needs: manner.needs(setup, asked) })
  if (action.retireFirst !== undefined && asked.includes('create')) await freeSlot(work, action.retireFirst)
  return runSteps(work, state, action, asked, suppliedValue)
}

/**
 * A new rotation overtakes a publication that is not announced yet (an emergency, a rollback, no consumer named): what that one had replaced
 * gets its retiring entry first, because nobody will remember it afterwards.
 */
async function entriesNoted(tools: Tools, setup: Known, state: SecretState, action: Extract<Action, { do: 'go' }>): Promise<boolean> {
  const starts = action.from === 'create' && action.token !== state.journal?.rotation?.token
  if (!starts || !isDue(state) || state.current === undefined) return false
  const before = state.journal?.retiring ?? []
  const retiring = await entriesDue(tools, setup, state, await identitiesOf(tools, setup, state, state.current.id))
  if (isDeepStrictEqual(retiring, before)) return false
  try {
    await tools.store.note(state, { retiring })
    return true
  } catch (cause) {
    if (codeOf(cause) === 'denied') return false // this role may not write notes: the outgoing credential stays until somebody retires it by hand
    throw cause
  }
}

/** All from the action's first step on, or exactly the asked one; none when that is done already. bad_event when it comes too early. */
function stepsAsked(request: RotationRequest, action: Extract<Action, { do: 'go' }>): readonly Step[] {
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
