import { seeLogin } from '../../core/login-seen.js'
import { optional } from '../../core/optional.js'
import { prefix } from '../../core/policy/index.js'
import type { StepService } from '../../core/ports/service.js'
import type { SecretState } from '../../core/ports/store.js'
import type { RotationRequest, SecretRef, Step, Token, VersionId } from '../../core/ports/words.js'
import { proofOf } from '../../core/proof.js'
import { publishBefore, publishKeyExpiry } from '../consumers/companions.js'
import { isHeld } from '../decide/action.js'
import { decide } from '../decide/decide.js'
import { guardSteps } from '../guard/index.js'
import { begins, decided, go, refusedError } from '../rotation/rotate.js'
import { finishSecret } from '../rotation/steps.js'
import type { Manner } from '../rotation/work.js'
import { lookContext } from '../secret/context.js'
import { type Deps, noConfiguration, type RotationResult } from '../secret/deps.js'
import { lookAgain, type Opened, opened } from '../secret/open.js'
import { assertConsumers, createTools, type Known, noRotatorError, type Setup, type Tools } from '../secret/setup.js'
import { prove } from './prove.js'
import { Proven } from './proven.js'

export { Proven }

/** What a platform asks for: one step of the rotation that has this token. */
export interface StepRequest extends RotationRequest {
  readonly kind: 'rotate'
  readonly step: Step
  readonly token: Token
}

/**
 * One step of a rotation that a platform drives. The platform serialises the steps, so this keeps no lease and writes nothing but the values. It may
 * be called any number of times, and in any order. It fails with any code of the table; the platform calls again after `retry`, `reread` and `wait`.
 * `proven`: what an instance that serves several calls has tested.
 */
export async function serve(deps: Deps, service: StepService, request: StepRequest, proven = new Proven()): Promise<RotationResult> {
  const tools = createTools(deps)
  const steps = guardSteps(service, tools.guard, (cause) => deps.store.classify(cause))
  const ref = await tools.store.resolve(request.ref)
  return lookAgain(ref.shown, async () => {
    const state = await steps.stepState(ref, request.token, request.step)
    if (request.step === 'finish') return finish(tools, state, request, proven)
    // Only what the last test under a token has shown counts.
    if (request.step !== 'create') proven.forget(ref)
    return step(tools, state, request, proven)
  })
}

async function step(tools: Tools, state: SecretState, request: StepRequest, proven: Proven): Promise<RotationResult | 'again'> {
  const { ref } = state
  const setup = await opened(tools, state, { wanted: request }).setup()
  const action = await decided(tools, setup, state, request)
  if (action.do === 'done') return unchanged(ref, request, action)
  if (isHeld(action) && request.step === 'create') {
    const filled = await filledState(tools, state, request)
    if (filled !== undefined) return stepDone(filled, request)
  }
  // A function without a configuration tells nobody.
  if (begins(action) && setup.configuration !== noConfiguration) assertConsumers(setup)
  if (action.do === 'refuse') throw refusedError(ref, action)
  const { rotator } = setup
  if (rotator === undefined) throw noRotatorError(ref)
  if (action.do === 'check') return checkCurrent(tools, { ...setup, rotator }, state)
  if (action.do !== 'go') throw refusedError(ref, unexpected)
  const result = await go(tools, { ...setup, rotator }, state, request, action, undefined, stepwise)
  if (result !== 'again' && result.steps.includes('test')) proven.keep(ref, { ...action, token: request.token }, tools.deps.env.now())
  return result
}

const unexpected = { do: 'refuse', code: 'internal', why: 'a step was decided without a value' } as const

const unchanged = (ref: SecretRef, { kind }: StepRequest, { version }: { readonly version: VersionId }): RotationResult => ({
  ref,
  outcome: 'unchanged',
  kind,
  version,
  steps: [],
  differences: [],
})

/**
 * What a single step needs. create does not need the administrator; set checks that before it touches anything. test compares two accounts, so with
 * one slot it needs nothing but the new value. A function that runs in a platform's role writes no notes.
 */
const stepwise: Manner = {
  needs: ({ rotator, policy }, asked) => {
    const sets = asked.includes('set') || rotator.issuer !== undefined
    const compares = rotator.traits.slots(policy) !== 1
    return { base: sets || asked.includes('create') || compares, admin: sets }
  },
  mayNote: false,
  vouched: true,
}

/** For createSecret that is repeated. A window that has closed since, or grace, must not hold a value that the target may have taken already. */
async function filledState({ store }: Tools, { ref }: SecretState, { token }: StepRequest): Promise<SecretState | undefined> {
  const state = await store.describe(ref)
  const isFilled = state.pending?.hasValue === true && state.pending.token === token
  return isFilled ? state : undefined
}

const stepDone = ({ ref, pending }: SecretState, { kind }: StepRequest): RotationResult => ({
  ref,
  outcome: 'step',
  kind,
  steps: [],
  differences: [],
  ...optional('token', pending?.token),
  ...optional('version', pending?.id),
})

/** A test-only run of the platform: it checks that the current credential logs in, as far as a login can try it, and writes nothing. */
async function checkCurrent(tools: Tools, setup: Known, state: SecretState): Promise<RotationResult> {
  const { ref, current } = state
  const { rotator, policy } = setup
  if (current === undefined) throw refusedError(ref, noCurrent)
  const context = await lookContext(tools, setup, state)
  const text = await tools.store.read(ref, current.id)
  const value = rotator.parse(text, policy)
  if (proofOf(rotator, policy) === 'answer') await seeLogin(rotator, context, value)
  const differences = await rotator.verify(context, value)
  return { ref, outcome: 'step', kind: 'rotate', version: current.id, steps: ['test'], differences }
}
const noCurrent = { do: 'refuse', code: 'not_found', why: 'the secret has no current value' } as const

/** finishSecret needs no value and no rotator where this instance has tested the value. Otherwise it logs in first: nobody else answers for that. */
async function finish(tools: Tools, state: SecretState, request: StepRequest, proven: Proven): Promise<RotationResult> {
  const { ref } = state
  const facts = {
    now: tools.deps.env.now(),
    slots: 1,
    graceMs: 0,
    mints: false,
    journal: false,
    consumers: false,
    rollback: 'none',
  } as const
  const action = decide(state, request, facts)
  tools.deps.env.log('decided', { ref: ref.shown, row: action.row, action: action.do })
  if (action.do === 'done') return unchanged(ref, request, action)
  if (action.do === 'refuse') throw refusedError(ref, { ...action })
  if (action.do !== 'go' || action.version === undefined || action.token === undefined) throw refusedError(ref, unexpected)
  const { kind, token } = action
  const { holder, leaseMs } = tools.deps
  const claim = { ...(await tools.store.claim(state, { token, kind, holder, leaseMs })), base: action.base }
  const secret = opened(tools, state, { wanted: request })
  const value = { token, version: action.version, base: action.base }
  if (!proven.has(ref, value, facts.now)) {
    await prove(secret, claim, action.version)
    proven.keep(ref, value, facts.now)
  }
  const setup = await companionsBefore(secret, action.version)
  const info = await finishSecret({ tools, claim }, action.version)
  if (setup !== undefined) await publishKeyExpiry(tools, setup, ref, info.id)
  const previous = state.current?.id === info.id ? undefined : state.current?.id
  return {
    ref,
    outcome: 'published',
    kind,
    token,
    version: info.id,
    ...optional('previous', previous),
    steps: ['finish'],
    differences: [],
  }
}

const companionsKey = `${prefix}companions`
/** Opens and reads only a secret that names companions: without them a platform's finish needs neither. */
async function companionsBefore({ tools, state, setup }: Opened, version: VersionId): Promise<Setup | undefined> {
  const { policy } = state
  const { environment } = tools.deps
  const named = policy[companionsKey] ?? environment?.[companionsKey]
  if (named === undefined || named === 'none') return undefined
  const known = await setup()
  assertConsumers(known)
  await publishBefore(tools, known, state, version)
  return known
}
