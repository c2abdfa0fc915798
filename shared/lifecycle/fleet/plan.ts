import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Code } from '../../core/ports/errors.js'
import type { CredentialType } from '../../core/ports/rotator.js'
import type { Listed, SecretView } from '../../core/ports/store.js'
import { decide } from '../decide/decide.js'
import { factsOf } from '../rotation/facts.js'
import { typeOf } from '../secret/defaults.js'
import type { Deps } from '../secret/deps.js'
import { opened } from '../secret/open.js'
import { dueAt } from '../secret/schedule.js'
import { createTools, namesNoRotator } from '../secret/setup.js'
import { dueOf, type SweepAction } from './sweep.js'
import { viewOf } from './view.js'

/** One line of the fleet. */
export interface Planned {
  readonly ref: string
  /** When current became current. */
  readonly publishedAt?: number
  readonly rotator?: string
  readonly type?: CredentialType
  /** What a sweep would do now. */
  readonly due: readonly SweepAction[]
  /** What a rotation asked for now would meet: the decision code of the run. */
  readonly rotation: 'would start' | 'would go on' | 'done' | 'held' | 'refused'
  readonly why?: string
  /** When the schedule is due; absent where there is none. */
  readonly nextAt?: number
}

/** The fleet in constant memory; looks only. A secret that cannot be understood is a line, not an end. */
export async function* plan(deps: Deps): AsyncIterable<Planned> {
  const tools = createTools(deps)
  const unread: Planned[] = []
  const failed = (ref: string, cause: unknown): void => void unread.push(unreadable(ref, cause))
  for await (const listed of tools.store.list({ managed: true }, failed)) {
    yield* unread.splice(0)
    yield planned(deps, listed)
  }
  yield* unread
}

/** With tools of its own: what is learned of one secret is forgotten with it. */
async function planned(deps: Deps, listed: Listed): Promise<Planned> {
  const ref = listed.ref.shown
  const tools = createTools(deps)
  try {
    const state = await viewOf(tools.store, listed)
    const setup = await opened(tools, state).setup()
    if (setup.rotator === undefined) return { ref, due: [], rotation: 'refused', why: namesNoRotator }
    const action = decide(state, { kind: 'rotate', ref, at: deps.env.now() }, factsOf(tools, setup, state))
    const { kind } = setup.rotator.about
    const type = typeOf(setup.rotator, setup.policy)
    const nextAt = dueAt(state, setup)
    const due = dueOf(deps, state, setup)
    const line = { ref, publishedAt: state.publishedAt, rotator: kind, type, due, ...optional('nextAt', nextAt) }
    const rotation = state.journal?.rotation
    const alive = rotation !== undefined && rotation.published === undefined && rotation.leaseUntil > deps.env.now()
    if (alive && action.do !== 'refuse') return { ...line, rotation: 'held', why: `another process (${rotation.holder}) is at work` }
    if (action.do === 'refuse') return { ...line, rotation: action.code === 'held' ? 'held' : 'refused', why: action.why }
    if (action.do === 'done') return { ...line, rotation: 'done' }
    return { ...line, rotation: action.do === 'go' && action.from === 'create' ? 'would start' : 'would go on' }
  } catch (cause) {
    return unreadable(ref, cause)
  }
}

function unreadable(ref: string, cause: unknown): Planned {
  if (!(cause instanceof RotationError)) throw cause
  return { ref, due: [], rotation: 'refused', why: cause.message }
}

/** Type and schedule of one that names its rotator; no read. `code`: its policy cannot be understood. */
export interface Scheduled {
  readonly type?: CredentialType
  readonly nextAt?: number
  readonly due: boolean
  readonly code?: Code
}

/** Looks up what the policy says of the schedule. A policy that cannot be understood is told by its code, not thrown. */
export async function scheduleOf(deps: Deps, state: SecretView): Promise<Scheduled> {
  if (state.policy['keyturn-rotator'] === undefined && state.policy['keyturn-parts'] === undefined) return { due: false }
  try {
    const setup = await opened(createTools(deps), state, { ways: 'back' }).setup()
    const { rotator, policy } = setup
    const nextAt = dueAt(state, setup)
    return {
      due: nextAt !== undefined && nextAt <= deps.env.now(),
      ...(rotator === undefined ? {} : { type: typeOf(rotator, policy) }),
      ...optional('nextAt', nextAt),
    }
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    return { due: false, code: cause.code }
  }
}
