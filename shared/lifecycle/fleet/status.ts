import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Consumer } from '../../core/ports/notifier.js'
import type { CredentialType } from '../../core/ports/rotator.js'
import type { SecretState } from '../../core/ports/store.js'
import type { RotationRequest } from '../../core/ports/words.js'
import type { Action } from '../decide/action.js'
import { decide } from '../decide/decide.js'
import { isDue } from '../decide/publication.js'
import { refuse } from '../decide/rows/common.js'
import { factsOf } from '../rotation/facts.js'
import { assertNotTooEarly } from '../rotation/too-early.js'
import { typeOf } from '../secret/defaults.js'
import type { Deps } from '../secret/deps.js'
import { openSecret } from '../secret/open.js'
import { dueAt } from '../secret/schedule.js'
import { type Known, namesNoRotator, type Tools } from '../secret/setup.js'

/** What one look found out about a secret; times in epoch milliseconds. */
export interface Status {
  readonly state: SecretState
  readonly rotator?: string
  readonly type?: CredentialType
  /** When the schedule is due; absent where there is none. */
  readonly nextAt?: number
  readonly strategy?: string
  readonly graceMs: number
  /** Who has to follow. */
  readonly consumers: readonly Consumer[]
  /** Current was announced to everybody. */
  readonly announced: boolean
  /** What a rotation asked for now would do: the same decision code as the run. */
  readonly next: Action & { readonly row: string }
}

/** Looks only: no login, no write. */
export async function statusOf(deps: Deps, refText: string, kind: RotationRequest['kind'] = 'rotate'): Promise<Status> {
  const { tools, ref, state, setup: loadSetup } = await openSecret(deps, refText, { ways: 'back' })
  const setup = await loadSetup()
  const decided = decide(state, { kind, ref: ref.shown, at: deps.env.now() }, factsOf(tools, setup, state))
  const known = setup.rotator === undefined ? undefined : { ...setup, rotator: setup.rotator }
  const next = known === undefined ? (kind === 'put' ? decided : asTheRun(decided)) : await notTooEarly(tools, known, state, decided)
  const nextAt = setup.rotator && dueAt(state, setup)
  return {
    state,
    ...optional('nextAt', nextAt),
    consumers: setup.consumers,
    announced: !isDue(state),
    graceMs: setup.settings.graceMs,
    next,
    ...(setup.rotator
      ? {
          type: typeOf(setup.rotator, setup.policy),
          rotator: setup.rotator.about.kind,
          strategy: setup.settings.strategy ?? setup.rotator.about.strategies[0] ?? 'replace',
        }
      : {}),
  }
}

/** Before it claims anything a run asks the value itself, which may be too young: this reads it, and asks the same. */
async function notTooEarly(tools: Tools, setup: Known, state: SecretState, decided: Status['next']): Promise<Status['next']> {
  if (decided.do !== 'go' || decided.from !== 'create' || (decided.kind !== 'rotate' && decided.kind !== 'emergency')) return decided
  try {
    await assertNotTooEarly(tools, setup, state, decided.kind)
    return decided
  } catch (cause) {
    if (!(cause instanceof RotationError) || cause.code !== 'held') throw cause
    return { ...refuse('held', cause.message.replace(`${state.ref.shown}: `, '').replace(/\.$/, '')), row: decided.row }
  }
}

/** What the run says, too: only a put needs no rotator. */
const asTheRun = (decided: Status['next']): Status['next'] =>
  decided.do === 'refuse' || decided.do === 'done' ? decided : { ...refuse('bad_policy', `it ${namesNoRotator}`), row: decided.row }
