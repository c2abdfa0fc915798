import { RotationError } from '../../core/errors.js'
import type { Drift } from '../../core/notices.js'
import { optional } from '../../core/optional.js'
import type { Consumer } from '../../core/ports/notifier.js'
import type { CredentialType, Proof } from '../../core/ports/rotator.js'
import type { Retiring, SecretState } from '../../core/ports/store.js'
import type { RotationRequest } from '../../core/ports/words.js'
import { proofOf } from '../../core/proof.js'
import { type Action, isHeld } from '../decide/action.js'
import { decide } from '../decide/decide.js'
import { isDue } from '../decide/publication.js'
import { refuse } from '../decide/rows/common.js'
import { factsOf } from '../rotation/facts.js'
import { begins } from '../rotation/rotate.js'
import { assertNotTooEarly } from '../rotation/too-early.js'
import { typeOf } from '../secret/defaults.js'
import type { Deps } from '../secret/deps.js'
import { openSecret } from '../secret/open.js'
import { entriesDue, identitiesOf } from '../secret/outgoing.js'
import { driftOf, dueAt } from '../secret/schedule.js'
import { isAdopted, type Known, namesNoRotator, notAdopted, type Setup, type Tools } from '../secret/setup.js'
import { named, type Trial, trialOfCurrent } from '../secret/trial.js'

/** What one look at a secret showed; times in epoch milliseconds. */
export interface Status {
  readonly state: SecretState
  readonly rotator?: string
  readonly type?: CredentialType
  /** What proves its values; absent without a rotator. */
  readonly proof?: Proof
  /** When the schedule is due; absent where there is none. */
  readonly nextAt?: number
  readonly strategy?: string
  readonly graceMs: number
  /** How the platform's own schedule differs from the policy; absent where it does not. */
  readonly drift?: Drift
  /** The consumers that have to follow. */
  readonly consumers: readonly Consumer[]
  /** Whether current was announced to everybody. */
  readonly announced: boolean
  /** The credentials that left, also those of a publication that is not announced yet. */
  readonly retiring: readonly Retiring[]
  /** What a rotation would do if it were asked for now. The same code decides as in the run. */
  readonly next: Action & { readonly row: string }
  /** What that rotation would write, also if something holds it; absent where none would start, or where this role may not read the value. */
  readonly trial?: Trial
}

/** The status of a secret. It looks only: no login, no write. */
export async function statusOf(deps: Deps, refText: string, kind: RotationRequest['kind'] = 'rotate'): Promise<Status> {
  const { tools, ref, state, setup: loadSetup } = await openSecret(deps, refText, { ways: 'back' })
  const setup = await loadSetup()
  const request = { kind, ref: ref.shown, at: deps.env.now() }
  const decided = decide(state, request, factsOf(tools, setup, state))
  const { next, trial } = await tried(tools, setup, state, await asTheRun(tools, setup, state, kind, decided))
  const nextAt = setup.rotator && dueAt(state, setup)
  return {
    state,
    ...optional('nextAt', nextAt),
    ...optional('drift', driftOf(state, deps.env.now())),
    consumers: setup.consumers,
    announced: !isDue(state),
    graceMs: setup.settings.graceMs,
    retiring: await leftBehind(tools, setup, state),
    next: withName(next, ref.shown),
    ...optional('trial', trial),
    ...kindOf(setup),
  }
}

/** The same with the secret's own name in its next step: people copy the command. */
function withName(next: Status['next'], shown: string): Status['next'] {
  if (next.do !== 'refuse' || next.next === undefined) return next
  return { ...next, next: next.next.replaceAll('<ref>', shown) }
}

/** What the next announcement would note, where one is due: until then the notes may still name an account that is current again. */
async function leftBehind(tools: Tools, { rotator, ...setup }: Setup, state: SecretState): Promise<readonly Retiring[]> {
  const noted = state.journal?.retiring ?? []
  const { current } = state
  if (rotator === undefined || current === undefined || !isDue(state)) return noted
  const known = { ...setup, rotator }
  try {
    return await entriesDue(tools, known, state, await identitiesOf(tools, known, state, current.id))
  } catch (cause) {
    if (cause instanceof RotationError) return noted // who may not read the value sees the notes
    throw cause
  }
}

function kindOf({ rotator, policy, settings }: Setup): Pick<Status, 'type' | 'proof' | 'rotator' | 'strategy'> {
  if (rotator === undefined) return {}
  const { kind, strategies } = rotator.about
  return {
    type: typeOf(rotator, policy),
    proof: proofOf(rotator, policy),
    rotator: kind,
    strategy: settings.strategy ?? strategies[0] ?? 'replace',
  }
}

/** What the run would say. Without a rotator it carries out only a put. */
async function asTheRun(
  tools: Tools,
  { rotator, ...setup }: Setup,
  state: SecretState,
  kind: RotationRequest['kind'],
  decided: Status['next'],
): Promise<Status['next']> {
  const mayBegin = (kind !== 'emergency' && kind !== 'rotate') || isAdopted(tools, state)
  if (rotator !== undefined && begins(decided) && !mayBegin) return { ...refuse('bad_policy', `it ${notAdopted}`), row: decided.row }
  if (rotator !== undefined) return notTooEarly(tools, { ...setup, rotator }, state, decided)
  if (kind === 'put' || decided.do === 'refuse' || decided.do === 'done') return decided
  return { ...refuse('bad_policy', `it ${namesNoRotator}`), row: decided.row }
}

/** Reads the value and asks it whether it is too young, as the run does before it claims anything. */
async function notTooEarly(tools: Tools, setup: Known, state: SecretState, decided: Status['next']): Promise<Status['next']> {
  if (decided.do !== 'go' || decided.from !== 'create') return decided
  if (decided.kind !== 'rotate' && decided.kind !== 'emergency') return decided
  try {
    await assertNotTooEarly(tools, setup, state, decided.kind)
    return decided
  } catch (cause) {
    return refused(cause, state, decided)
  }
}

/** What the run would refuse, as the table says it. Anything that is not one of our own errors is thrown. */
function refused(cause: unknown, { ref }: SecretState, { row }: Status['next']): Status['next'] {
  if (!(cause instanceof RotationError)) throw cause
  const why = cause.message.replace(`${ref.shown}: `, '').replace(/\.$/, '')
  return { ...refuse(cause.code, why, named(cause, ref.shown).next), row }
}

/** Tries what a rotation would write that would start now, or as soon as nothing holds it. A value that it would refuse then is refused now. */
async function tried(
  tools: Tools,
  { rotator, ...setup }: Setup,
  state: SecretState,
  next: Status['next'],
): Promise<Pick<Status, 'next' | 'trial'>> {
  const starts = next.do === 'go' && next.from === 'create' && (next.kind === 'rotate' || next.kind === 'emergency')
  if (!(starts || isHeld(next)) || rotator === undefined) return { next }
  try {
    return { next, ...optional('trial', await trialOfCurrent(tools, { ...setup, rotator }, state)) }
  } catch (cause) {
    return { next: refused(cause, state, next) }
  }
}
