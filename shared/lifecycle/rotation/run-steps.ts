import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Difference } from '../../core/ports/rotator.js'
import type { SecretState } from '../../core/ports/store.js'
import type { Step, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { rewrittenFields } from '../../core/shapes/rewritten.js'
import { publishBefore } from '../consumers/companions.js'
import type { Action } from '../decide/action.js'
import type { RotationResult } from '../secret/deps.js'
import { endLease } from '../secret/lease.js'
import { assertConsumers } from '../secret/setup.js'
import { isByAnswer } from './by-answer.js'
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
    const fields = await rewroteOf(work, pending.version, pending)
    if (fields !== undefined) env.log('rewrites', { ref: state.ref.shown, fields: fields.join(', ') })
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
    differences = await test(work, action, asked, pending, done)
    ended('test')
  }
  if (!asked.includes('finish')) {
    if (!work.vouched) await endLease(work.tools, work.context.ref)
    const rewrote = pending && (await rewroteOf(work, pending.version, pending))
    return { ...stepOnly(work, done, differences, action, pending), ...optional('rewrote', rewrote) }
  }
  const version = pending?.version ?? versionOf(action)
  await prepareCompanions(work, state, action, version)
  const info = await finishSecret(work, version, done.includes('test') ? pending?.text : undefined)
  ended('finish')
  const previous = state.current?.id === info.id ? undefined : state.current?.id
  const windowMs = changedAt !== undefined && hasOneSlot(work) ? env.now() - changedAt : undefined
  return {
    ref: state.ref,
    outcome: 'published',
    kind: action.kind,
    token: work.claim.token,
    version: info.id,
    publishedAt: info.createdAt,
    ...optional('previous', previous),
    steps: done,
    differences,
    ...optional('rewrote', await rewroteOf(work, info.id, pending)),
    ...optional('windowMs', windowMs),
  }
}

/** The fields that the new value changes. A value that is published already is read for that where our own loop runs, and a failed read says nothing. */
async function rewroteOf(
  { tools, context, baseText, vouched }: Work,
  version: VersionId,
  pending?: Pending,
): Promise<readonly string[] | undefined> {
  if (baseText === undefined || (pending === undefined && vouched)) return undefined
  try {
    return rewrittenFields(baseText, pending?.text ?? (await tools.store.read(context.ref, version)))
  } catch (cause) {
    if (cause instanceof RotationError) return undefined
    throw cause
  }
}

/** Whether setting the new credential ends the old one at the target. */
const hasOneSlot = ({ rotator, context }: Work): boolean => rotator.traits.slots(context.policy) === 1 && rotator.traits.outside

/**
 * A put tests the value that a person set at the target, or sets it in its test. A rollback sets nothing where the previous credential is still valid, nor where current
 * cannot be read: a login has shown then that the target accepts the previous one.
 */
function mustSet(work: Work, { kind }: Go): boolean {
  const { rotator, context } = work
  if (kind === 'put') return false
  if (kind === 'rollback' && rotator.traits.outside && context.current === undefined) return isByAnswer(work)
  return kind !== 'rollback' || rotator.traits.rollback(context.policy) !== 'publish'
}

/** Whether finish is called alone. Nobody can say then that this very value was tested, so it is tested again. */
function mustTestAgain({ vouched }: Work, { from }: Go, asked: readonly Step[]): boolean {
  const finishAlone = asked.length === 1 && asked[0] === 'finish'
  return finishAlone && from !== 'finish' && !vouched
}

function test(work: Work, { kind }: Go, asked: readonly Step[], pending: Pending, done: readonly Step[]): Promise<readonly Difference[]> {
  if (kind === 'put') return testPut(work, pending)
  const alone = asked.length === 1 && !work.vouched
  return alone ? testAlone(work, pending) : testSecret(work, pending, work.vouched || done.includes('set'))
}

/** Writes the companions that come before the publication. A value that is current already has had them, and its staged copy may be gone. */
async function prepareCompanions(work: Work, state: SecretState, { kind }: Go, version: VersionId): Promise<void> {
  const { tools, setup, claim } = work
  if (setup.settings.companions.length === 0 || state.current?.ours === claim.token) return
  // An unknown one may be a public set that has to come first.
  if (kind !== 'rollback') assertConsumers(setup)
  await publishBefore(tools, setup, state, version, { isEmergency: kind === 'emergency', claim })
}

async function valueFor(
  { tools, context, rotator }: Work,
  state: SecretState,
  action: Go,
  suppliedValue?: SecretText,
): Promise<SecretText | undefined> {
  if (action.value === 'supplied') {
    if (suppliedValue !== undefined) return suppliedValue
    throw new RotationError('bad_event', `A put of ${context.ref.shown} was interrupted before its value was stored.`, {
      field: 'value',
      next: 'Put the value again.',
    })
  }
  if (action.value !== 'previous' || state.previous === undefined) return undefined
  const text = await tools.store.read(context.ref, state.previous.id)
  if (rotator.restore === undefined || context.current === undefined) return text
  const previous = rotator.parse(text, context.policy)
  const restored = rotator.restore(context.current, previous, context.policy)
  return rotator.render(text, restored)
}

function versionOf(action: Go): VersionId {
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
