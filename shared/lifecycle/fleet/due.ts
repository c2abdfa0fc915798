import { isLeaseLive } from '../../core/clock.js'
import { prefix } from '../../core/policy/index.js'
import type { FleetAction } from '../../core/ports/queue.js'
import type { OpenRotation, SecretView } from '../../core/ports/store.js'
import { isProgressing, refusedBefore } from '../consumers/moving.js'
import { isWorthAsking } from '../decide/asking.js'
import { isDue } from '../decide/publication.js'
import { mustReckon } from '../decide/reckoned.js'
import { frozenNow } from '../rotation/facts.js'
import type { Deps } from '../secret/deps.js'
import { opened } from '../secret/open.js'
import { isByConsumers } from '../secret/outgoing.js'
import { isCheckDue, isHourOf, isStartDue } from '../secret/schedule.js'
import { mayStart, type Setup, type Tools } from '../secret/setup.js'
import { type Standing, standingOf, stoppedBy } from './standing.js'

/** What a look found of one secret. */
export interface Judged {
  readonly due: readonly FleetAction[]
  readonly standing: Standing
}

/** What is due for a secret and how it stands, from one look. No login, and a read only where nothing names the rotator. `state`: as the listing shows it. */
export async function judge(tools: Tools, state: SecretView): Promise<Judged> {
  return judgeStopped(tools, state) ?? judgeBy(tools, state, await opened(tools, state).setup())
}

/** The same of a secret whose setup was read already. */
export const judgeBy = (tools: Tools, state: SecretView, setup: Setup): Judged =>
  judgeStopped(tools, state) ?? { due: dueOf(tools.deps, state, setup), standing: standingOf(tools, setup, state) }

/** undefined where nothing keeps it from being rotated until a person has looked. */
export function judgeStopped({ deps }: Tools, state: SecretView): Judged | undefined {
  const stopped = stoppedBy(state)
  return stopped === undefined ? undefined : { due: dueAlways(deps, state).due, standing: { stopped } }
}

interface DueAlways {
  readonly due: readonly FleetAction[]
  readonly open: boolean
}

/** What is due whatever the secret holds, even while it is stuck. */
function dueAlways(deps: Deps, state: SecretView): DueAlways {
  if (state.placeLost) return { due: ['announce'], open: false } // which says so
  const now = deps.env.now()
  const { journal, pending, loose, drivenBy } = state
  const rotation = journal?.rotation
  const leftover = pending?.hasValue === true || loose.length > 0
  const isOver = rotation?.published !== undefined || (rotation && !leftover && isOrphaned(deps, state, rotation))
  const isFree = !isLeaseLive(rotation?.leaseUntil ?? 0, now)
  const open = rotation !== undefined && !isOver && isFree
  const due: FleetAction[] = []
  if (drivenBy === 'engine' && (open || (leftover && isFree))) due.push('resume')
  const mustTell = isDue(state) || refusedBefore(state, now) || isProgressing(state, now)
  // The same pass puts right what a clock that was ahead has written.
  if (deps.journal && (mustTell || mustReckon(state, now))) due.push('announce')
  if ((journal?.retiring ?? []).length > 0) due.push('retire')
  return { due, open }
}

/** What is due for a secret whose setup was read already. */
export function dueOf(deps: Deps, state: SecretView, setup: Setup): readonly FleetAction[] {
  const now = deps.env.now()
  const { due: always, open } = dueAlways(deps, state)
  const { settings, rotator, configuration, companions } = setup
  if (rotator === undefined || state.journal?.code !== undefined || state.placeLost) return always
  const { window: _, ...anyTime } = settings
  const mayCheck = deps.journal && mayStart({ deps }, state) && frozenNow(anyTime, configuration, now) === undefined
  const isDaily = isCheckDue(state, now) && (mayCheck || isHourOf(state.ref, now))
  const due = always.filter((action) => action !== 'retire' || mayEnd(state, setup, isDaily, now))
  if (!mayStart({ deps }, state)) return due
  if (companions.length > 0 && deps.journal && !isDue(state)) due.push('companions')
  if (due.includes('resume')) return due
  if (!open && isStartDue(state, setup, now)) due.push('start')
  if (mayCheck && isDaily) due.push('check')
  return due
}

/**
 * Whether a pass over the credentials that left may end one. Where nobody is named and the target cannot say who uses them, nothing would ever open the gate:
 * their entries stay until the next rotation, and are looked at once a day. So are keys that the value keeps: a person says when they may go.
 */
function mayEnd(state: SecretView, setup: Setup, isDaily: boolean, now: number): boolean {
  const { rotator, consumers, unknownConsumers } = setup
  const entries = state.journal?.retiring ?? []
  if (entries.some((entry) => entry.state === 'armed' || entry.state === 'disabled')) return true
  const isAsked = consumers.length > 0 || unknownConsumers.length > 0 || rotator?.sessions !== undefined || rotator?.issuer !== undefined
  const isBegun = entries.some((entry) => entry.state !== 'undeclared')
  if (rotator?.older !== undefined || !(isAsked || isBegun)) return isDaily
  const spans = { ...setup.settings, byConsumers: isByConsumers(setup) }
  return entries.some((entry) => isWorthAsking(state, spans, entry, now))
}

/**
 * Whether a rotation died before its value was kept, and nobody can continue it. Only the person who put a value has it, nobody knows which parts
 * were meant, and the target would refuse again what it refused. The next rotation takes its place; waiting for it would stop the schedule forever.
 */
function isOrphaned({ environment }: Deps, { policy }: SecretView, { kind, refusals }: OpenRotation): boolean {
  if (kind === 'put' || (kind === 'rollback' && refusals > 0)) return true
  const own = { ...environment, ...policy }
  return own[`${prefix}parts`] !== undefined
}
