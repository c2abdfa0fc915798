import { RotationError } from '../../core/errors.js'
import { prefix } from '../../core/policy/index.js'
import type { AnyRotator } from '../../core/ports/rotator.js'
import type { SecretState } from '../../core/ports/store.js'
import type { RotationRequest, SecretRef, Step, VersionId } from '../../core/ports/words.js'
import { nextFor } from '../../core/remedies.js'
import { endOutgoing, publishBefore } from '../consumers/companions.js'
import { decide } from '../decide/decide.js'
import { finishSecret } from '../rotation/steps.js'
import type { Needs } from '../rotation/work.js'
import type { RotationResult } from '../secret/deps.js'
import { assertTargets, type Setup, type Tools, understand } from '../secret/setup.js'

/** A platform called for one step: it serialises the steps, so that no lease is kept and nothing but the values is written. */
export const isServiceStep = ({ drivenBy }: SecretState, { step }: RotationRequest): boolean => drivenBy === 'service' && step !== undefined

/** Where the store can look with fewer calls for this one step, it does. */
export const lookFor = (tools: Tools, ref: SecretRef, { step, token }: RotationRequest): Promise<SecretState> =>
  step !== undefined && token !== undefined && tools.store.stepState !== undefined
    ? tools.store.stepState(ref, token, step)
    : tools.store.describe(ref)

/**
 * What one step cannot do without. create leaves the administrator alone, whom set checks before it touches anything; test compares two accounts,
 * so with one slot it needs nothing but the new value.
 */
export function needsOf({ rotator, policy }: Setup & { readonly rotator: AnyRotator }, asked: readonly Step[]): Needs {
  const sets = asked.includes('set') || rotator.traits.mints
  return { base: sets || asked.includes('create') || rotator.traits.slots(policy) !== 1, admin: sets }
}

/** createSecret again: a window that closed since, or a grace, must not hold a value that the target may have taken already. */
export async function isFilled(tools: Tools, state: SecretState, request: RotationRequest): Promise<boolean> {
  if (!isServiceStep(state, request) || request.step !== 'create' || tools.store.stepState === undefined) return false
  const { pending } = await tools.store.describe(state.ref)
  return pending?.hasValue === true && pending.token === request.token
}

export const stepDone = ({ ref, pending }: SecretState, { kind }: RotationRequest): RotationResult => ({
  ref,
  outcome: 'step',
  kind,
  steps: [],
  differences: [],
  ...(pending === undefined ? {} : { token: pending.token, version: pending.id }),
})

/** Only a secret that names companions is understood and read here: a platform's finish needs neither otherwise. */
async function companionsBefore(tools: Tools, state: SecretState, version: VersionId): Promise<Setup | undefined> {
  const named = state.policy[companionsKey] ?? tools.deps.environment?.[companionsKey]
  if (named === undefined || named === 'none') return undefined
  const setup = await understand(tools, state)
  assertTargets(setup)
  await publishBefore(tools, setup, state, version)
  return setup
}
const companionsKey = `${prefix}companions`

/** finishSecret needs no value and no rotator: the platform calls it after testSecret succeeded. */
export async function finishForService(tools: Tools, state: SecretState, request: RotationRequest): Promise<RotationResult> {
  const { ref } = state
  const facts = { now: tools.deps.env.now(), slots: 1, graceMs: 0, mints: false, journal: false, targets: false, rollback: 'none' } as const
  const action = decide(state, request, facts)
  tools.deps.env.log('decided', { ref: ref.shown, row: action.row, action: action.do })
  if (action.do === 'done') return { ref, outcome: 'unchanged', kind: request.kind, version: action.version, steps: [], differences: [] }
  if (action.do !== 'go' || action.version === undefined || action.token === undefined) {
    const [code, why] = action.do === 'refuse' ? [action.code, action.why] : (['internal', 'a step was decided without a value'] as const)
    throw new RotationError(code, `${ref.shown}: ${why}.`, { next: nextFor(code, ref.shown) })
  }
  const { holder, leaseMs } = tools.deps
  const claim = await tools.store.claim(state, { token: action.token, kind: action.kind, holder, leaseMs })
  const setup = await companionsBefore(tools, state, action.version)
  const info = await finishSecret({ tools, claim: { ...claim, base: action.base } }, action.version)
  if (setup !== undefined) await endOutgoing(tools, setup, ref, info.id)
  const previous = state.current && state.current.id !== info.id ? { previous: state.current.id } : {}
  return {
    ref,
    outcome: 'published',
    kind: action.kind,
    token: action.token,
    version: info.id,
    ...previous,
    steps: ['finish'],
    differences: [],
  }
}
