import { aheadOf, isLeaseLive } from '../../core/clock.js'
import { RotationError } from '../../core/errors.js'
import { shownDrift } from '../../core/notices.js'
import { optional } from '../../core/optional.js'
import type { Code } from '../../core/ports/errors.js'
import type { FleetAction } from '../../core/ports/queue.js'
import type { CredentialType } from '../../core/ports/rotator.js'
import type { Listed, SecretView } from '../../core/ports/store.js'
import type { Action } from '../decide/action.js'
import { decide } from '../decide/decide.js'
import { mustReckon } from '../decide/reckoned.js'
import { factsOf } from '../rotation/facts.js'
import { typeOf } from '../secret/defaults.js'
import type { Deps } from '../secret/deps.js'
import { expiryWarning } from '../secret/expiry.js'
import { lookCode, lookExpiry } from '../secret/last-look.js'
import { opened } from '../secret/open.js'
import { driftOf, dueAt } from '../secret/schedule.js'
import { createTools, isAdopted, type Known, namesNoRotator, notAdopted, type Tools } from '../secret/setup.js'
import { trialOfCurrent, warningsOf } from '../secret/trial.js'
import { dueOf } from './due.js'
import { viewOf } from './view.js'

/** One line of the fleet. */
export interface Planned {
  readonly ref: string
  /** When current became current. */
  readonly publishedAt?: number
  readonly rotator?: string
  readonly type?: CredentialType
  /** What a sweep would do now. */
  readonly due: readonly FleetAction[]
  /** What would happen to a rotation if it were asked for now. The same code decides as in the run. */
  readonly rotation: 'would start' | 'would go on' | 'done' | 'held' | 'refused'
  readonly why?: string
  /** The fields that a rotation would rewrite, also if something holds it; absent where none would start, or where this role may not read the value. */
  readonly rewrites?: readonly string[]
  /** `stuck`, or why the current value did not log in when the sweep last looked. */
  readonly code?: Code
  /** When the schedule is due; absent where there is none. */
  readonly nextAt?: number
  /** What the last daily look saw of an end that the target sets to the login, where it comes before the next rotation. */
  readonly expiry?: string
  /** How the platform's own schedule differs from the policy, or that nobody can see whether it does. */
  readonly drift?: string
  /** By how much the publication is from the future, where a clock was ahead. Milliseconds. */
  readonly aheadMs?: number
}

/**
 * Plans the fleet in constant memory; looks only. `tries`: where a rotation would start or is held, the value is read and a sample is written into it. A
 * secret that cannot be read gets a line, and does not end the plan.
 */
export async function* plan(deps: Deps, { tries = true } = {}): AsyncIterable<Planned> {
  const tools = createTools(deps)
  const unread: Planned[] = []
  const failed = (ref: string, cause: unknown): void => void unread.push(unreadable(ref, cause))
  for await (const listed of tools.store.list({ managed: true }, failed)) {
    yield* unread.splice(0)
    yield planned(deps, listed, tries)
  }
  yield* unread
}

/** Each secret has tools of its own: what they learn about it is forgotten with them. */
async function planned(deps: Deps, listed: Listed, tries: boolean): Promise<Planned> {
  const ref = listed.ref.shown
  const tools = createTools(deps)
  try {
    const state = await viewOf(tools.store, listed)
    const setup = await opened(tools, state).setup()
    const code = state.journal?.code ?? lookCode(state)
    if (setup.rotator === undefined) return { ref, due: [], rotation: 'refused', why: namesNoRotator }
    if (!isAdopted(tools, state)) return { ref, due: dueOf(deps, state, setup), rotation: 'refused', why: notAdopted }
    const action = decide(state, { kind: 'rotate', ref, at: deps.env.now() }, factsOf(tools, setup, state))
    const { kind } = setup.rotator.about
    const type = typeOf(setup.rotator, setup.policy)
    const nextAt = dueAt(state, setup)
    const due = dueOf(deps, state, setup)
    const line = {
      ref,
      publishedAt: state.publishedAt,
      rotator: kind,
      type,
      due,
      ...optional('code', code),
      ...optional('nextAt', nextAt),
      ...optional('expiry', expiryWarning(optional('at', lookExpiry(state)), nextAt, deps.env.now())?.says),
      ...optional('drift', driftText(state, deps.env.now())),
      ...optional('aheadMs', mustReckon(state, deps.env.now()) ? aheadOf(state.publishedAt, deps.env.now()) : undefined),
    }
    const rotation = expected(state, action, deps.env.now())
    if (!tries || !['would start', 'held'].includes(rotation.rotation)) return { ...line, ...rotation }
    return { ...line, ...(await tried(tools, { ...setup, rotator: setup.rotator }, state, rotation)) }
  } catch (cause) {
    return unreadable(ref, cause)
  }
}

type Expected = Pick<Planned, 'rotation' | 'why' | 'rewrites'>
/** What the run would refuse of the value, now or when nothing holds it any more, and what it would rewrite. */
async function tried(tools: Tools, setup: Known, state: SecretView, rotation: Expected): Promise<Expected> {
  try {
    const trial = await trialOfCurrent(tools, setup, state)
    if (trial === undefined) return rotation
    const says = [rotation.why, ...warningsOf(trial).map((one) => one.says)].filter((one) => one !== undefined)
    return { ...rotation, rewrites: trial.rewrites, ...optional('why', says.length === 0 ? undefined : says.join('; ')) }
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    return { rotation: 'refused', why: cause.message }
  }
}

function expected({ journal }: SecretView, action: Action, now: number): Pick<Planned, 'rotation' | 'why'> {
  if (action.do === 'refuse') return { rotation: action.code === 'held' ? 'held' : 'refused', why: action.why }
  const rotation = journal?.rotation
  const isAlive = rotation !== undefined && rotation.published === undefined && isLeaseLive(rotation.leaseUntil, now)
  if (isAlive) return { rotation: 'held', why: `another process (${rotation.holder}) is at work` }
  if (action.do === 'done') return { rotation: 'done' }
  const starts = action.do === 'go' && action.from === 'create'
  return { rotation: starts ? 'would start' : 'would go on' }
}

function driftText(state: SecretView, now: number): string | undefined {
  const drift = driftOf(state, now)
  return drift && shownDrift(drift)
}

/** What the last daily look found wrong, for people. */
export const shownCode = (code: Code): string => `${code}: the current value did not log in at the daily look`

function unreadable(ref: string, cause: unknown): Planned {
  if (!(cause instanceof RotationError)) throw cause
  return { ref, due: [], rotation: 'refused', why: cause.message }
}

/** Type and schedule of a secret that names its rotator; no read. `code`: what is wrong with its policy. */
export interface Scheduled {
  readonly type?: CredentialType
  readonly nextAt?: number
  readonly due: boolean
  readonly code?: Code
  /** How the platform's own schedule differs from the policy, or that nobody can see whether it does. */
  readonly drift?: string
}

/** Looks up the schedule that the policy gives. For a wrong policy it returns the code, and does not throw. */
export async function scheduleOf(deps: Deps, state: SecretView): Promise<Scheduled> {
  const namesKind = ['keyturn-rotator', 'keyturn-parts'].some((key) => state.policy[key] !== undefined)
  if (!namesKind) return { due: false }
  const drift = optional('drift', driftText(state, deps.env.now()))
  try {
    const setup = await opened(createTools(deps), state, { ways: 'back' }).setup()
    const { rotator, policy } = setup
    const nextAt = dueAt(state, setup)
    return {
      due: nextAt !== undefined && nextAt <= deps.env.now(),
      ...drift,
      ...(rotator === undefined ? {} : { type: typeOf(rotator, policy) }),
      ...optional('nextAt', nextAt),
    }
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    return { due: false, code: cause.code }
  }
}
