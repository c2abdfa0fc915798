import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Difference } from '../../core/ports/rotator.js'
import type { SecretState } from '../../core/ports/store.js'
import type { Step } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { publishBefore } from '../consumers/companions.js'
import type { Action } from '../decide/action.js'
import type { RotationResult } from '../secret/deps.js'
import { endLease } from '../secret/lease.js'
import { assertConsumers } from '../secret/setup.js'
import { createSecret, finishSecret, type Pending, readPending, setSecret, testAlone, testPut, testSecret } from './steps.js'
import type { Work } from './work.js'

type Go = Extract<Action, { do: 'go' }>

/** The asked steps in order, stopping at the first failure. Each may be repeated alone. */
export async function runSteps(
  work: Work,
  state: SecretState,
  action: Go,
  asked: readonly Step[],
  suppliedValue?: SecretText,
): Promise<RotationResult> {
  const { env, onStep } = work.tools.deps
  const done: Step[] = []
  const ended = (step: Step): void => {
    done.push(step)
    onStep?.(step)
  }
  let pending: Pending | undefined
  let differences: readonly Difference[] = []
  let changedAt: number | undefined
  if (asked.includes('create')) {
    pending = await createSecret(work, await valueFor(work, state, action, suppliedValue))
    ended('create')
  }
  if (asked.includes('set') && mustSet(work, action)) {
    pending ??= await readPending(work, versionOf(action))
    changedAt = env.now()
    await setSecret(work, pending)
    ended('set')
  }
  if (asked.includes('test') || mustTestAgain(work, action, asked)) {
    pending ??= await readPending(work, versionOf(action))
    const alone = asked.length === 1 && !work.vouched
    differences = await (action.kind === 'put' ? testPut(work, pending) : alone ? testAlone(work, pending) : testSecret(work, pending))
    ended('test')
  }
  if (!asked.includes('finish')) {
    if (!work.vouched) await endLease(work.tools, work.context.ref)
    return stepOnly(work, done, differences, action, pending)
  }
  const version = pending?.version ?? versionOf(action)
  // One that is current already has had its companions before it; the staged copy of it may be gone.
  if (work.setup.settings.companions.length > 0 && state.current?.ours !== work.claim.token) {
    if (action.kind !== 'rollback') assertConsumers(work.setup) // one that nobody knows may be a public set that has to come first
    await publishBefore(work.tools, work.setup, state, version, action.kind === 'emergency')
  }
  const info = await finishSecret(work, version)
  ended('finish')
  const previous = state.current && state.current.id !== info.id ? { previous: state.current.id } : {}
  const oneSlot = work.rotator.traits.slots(work.context.policy) === 1 && work.rotator.traits.outside
  const windowMs = changedAt !== undefined && oneSlot ? { windowMs: env.now() - changedAt } : {}
  return {
    ref: state.ref,
    outcome: 'published',
    kind: action.kind,
    token: work.claim.token,
    version: info.id,
    ...previous,
    steps: done,
    differences,
    ...windowMs,
  }
}

/** A put tests the value that a person set at the target; a rollback sets nothing where the previous credential is still valid. */
const mustSet = ({ rotator, context }: Work, { kind }: Go): boolean =>
  kind !== 'put' && !(kind === 'rollback' && rotator.traits.rollback(context.policy) === 'publish')

/** finish called alone: nobody can say that this very value was tested, so it is tested again. */
const mustTestAgain = ({ vouched }: Work, { from }: Go, asked: readonly Step[]): boolean =>
  asked.length === 1 && asked[0] === 'finish' && from !== 'finish' && !vouched

async function valueFor(
  { tools, context, rotator }: Work,
  state: SecretState,
  action: Go,
  suppliedValue?: SecretText,
): Promise<SecretText | undefined> {
  if (action.value === 'supplied') {
    if (suppliedValue !== undefined) return suppliedValue
    throw new RotationError('bad_event', `A put of ${context.ref.shown} was interrupted before its value was kept.`, {
      field: 'value',
      next: 'Put the value again.',
    })
  }
  if (action.value !== 'previous' || state.previous === undefined) return undefined
  const text = await tools.store.read(context.ref, state.previous.id)
  if (rotator.restore === undefined || context.current === undefined) return text
  return rotator.render(text, rotator.restore(context.current, rotator.parse(text, context.policy), context.policy))
}

function versionOf(action: Go) {
  if (action.version !== undefined) return action.version
  throw new RotationError('internal', 'A step was decided without a staged version.', { next: 'Report it; nothing was changed.' })
}

function stepOnly(work: Work, done: readonly Step[], differences: readonly Difference[], action: Go, pending?: Pending): RotationResult {
  const version = pending?.version ?? action.version
  return {
    ref: work.context.ref,
    outcome: 'step',
    kind: action.kind,
    token: work.claim.token,
    steps: done,
    differences,
    ...optional('version', version),
  }
}
