import { aheadOf, isLeaseLive } from '../../core/clock.js'
import { codeOf, messageOf, RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import { prefix, showDuration } from '../../core/policy/index.js'
import type { Code } from '../../core/ports/errors.js'
import type { OpenRotation, SecretView } from '../../core/ports/store.js'
import type { ConsumerPhase } from '../../core/ports/words.js'
import { announce, isProgressing, refusedBefore } from '../consumers/announce.js'
import { repairCompanions } from '../consumers/companions.js'
import { preflightPass } from '../consumers/preflight.js'
import { isDue } from '../decide/publication.js'
import { mustReckon } from '../decide/reckoned.js'
import { retirePass } from '../retirement/retire.js'
import { frozenNow } from '../rotation/facts.js'
import { rotate } from '../rotation/rotate.js'
import { lookError, shownLook, verifyCurrent } from '../secret/adopt.js'
import type { Deps } from '../secret/deps.js'
import { noteLook } from '../secret/last-look.js'
import { opened, openSecret } from '../secret/open.js'
import { isCheckDue, isStartDue } from '../secret/schedule.js'
import { createTools, mayStart, type Setup } from '../secret/setup.js'
import { viewOf } from './view.js'

/** What a sweep may do to a secret, in this order. */
export const sweepActions = ['resume', 'announce', 'retire', 'companions', 'start', 'check'] as const
/** One of them. */
export type SweepAction = (typeof sweepActions)[number]

/** One worker call and how it ended; `code` where it failed or has to wait. */
export interface Swept {
  readonly ref: string
  readonly action: SweepAction | 'look'
  readonly outcome: string
  readonly code?: Code
  /** The names of the fields that a rotation has rewritten. */
  readonly rewrote?: readonly string[]
  /** What each consumer answered to an announcement. */
  readonly consumers?: readonly Answered[]
}

/** How far one consumer is, and what shows it. */
export interface Answered {
  readonly consumer: string
  readonly phase: ConsumerPhase
  readonly evidence: string
}

/** What is due for a secret, from one look. No login, and a read only where nothing names the rotator. `state`: as the listing shows it. */
export async function dueActions(deps: Deps, state: SecretView): Promise<readonly SweepAction[]> {
  if (state.journal?.code !== undefined || state.placeLost) return dueAlways(deps, state).due
  const setup = await opened(createTools(deps), state).setup()
  return dueOf(deps, state, setup)
}

interface DueAlways {
  readonly due: readonly SweepAction[]
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
  const due: SweepAction[] = []
  if (drivenBy === 'engine' && (open || (leftover && isFree))) due.push('resume')
  const mustTell = isDue(state) || refusedBefore(state, now) || isProgressing(state, now)
  // The same pass puts right what a clock that was ahead has written.
  if (deps.journal && (mustTell || mustReckon(state, now))) due.push('announce')
  if ((journal?.retiring ?? []).length > 0) due.push('retire')
  return { due, open }
}

/** What is due for a secret whose setup was read already. */
export function dueOf(deps: Deps, state: SecretView, setup: Setup): readonly SweepAction[] {
  const now = deps.env.now()
  const { due: always, open } = dueAlways(deps, state)
  const { settings, rotator, configuration, companions } = setup
  if (rotator === undefined || !mayStart({ deps }, state) || state.journal?.code !== undefined || state.placeLost) return always
  const due = [...always]
  if (companions.length > 0 && deps.journal && !isDue(state)) due.push('companions')
  if (due.includes('resume')) return due
  if (!open && isStartDue(state, setup, now)) due.push('start')
  const { window: _, ...anyTime } = settings
  const isFrozen = frozenNow(anyTime, configuration, now) !== undefined
  if (deps.journal && isCheckDue(state, now) && !isFrozen) due.push('check')
  return due
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

/**
 * One bounded pass over all managed secrets, one after the other, in constant memory. The listing looks; each due action is a call of its own that
 * decides from fresh state. It may run twice at once. It does not throw for a single secret: what went wrong is in the answer.
 */
export async function* sweep(deps: Deps): AsyncIterable<Swept> {
  const { store } = createTools(deps)
  const unread: Swept[] = []
  const noteFailure = (shown: string, cause: unknown): void => void unread.push(failed(shown, 'look', cause))
  for await (const listed of store.list({ managed: true }, noteFailure)) {
    yield* unread.splice(0)
    if (deps.env.cancelled.aborted) return
    const ref = listed.ref.shown
    try {
      const lookedAt = deps.env.now()
      const state = await viewOf(store, listed)
      const due = await dueActions(deps, state)
      yield* actAll(deps, state, due, lookedAt)
    } catch (cause) {
      yield failed(ref, 'look', cause)
    }
  }
  yield* unread
}

async function* actAll(deps: Deps, state: SecretView, due: readonly SweepAction[], lookedAt: number): AsyncIterable<Swept> {
  const ref = state.ref.shown
  for (const action of due) {
    try {
      const outcome = await act(deps, state, action, lookedAt)
      if (outcome !== undefined) yield { ref, action, ...(typeof outcome === 'string' ? { outcome } : outcome) }
    } catch (cause) {
      yield failed(ref, action, cause)
    }
  }
}

/** Says that a publication is from the future. */
export const aheadText = (aheadMs: number): string => `published ${showDuration(aheadMs)} ahead of this clock`

const failed = (ref: string, action: Swept['action'], cause: unknown): Swept => {
  if (!(cause instanceof RotationError)) throw cause
  return { ref, action, outcome: messageOf(cause), code: codeOf(cause) ?? 'internal' }
}

/** `at`: the time of the look; a later publication answers it. undefined: there was nothing to do after all. */
async function act(
  deps: Deps,
  listed: SecretView,
  action: SweepAction,
  at: number,
): Promise<string | Pick<Swept, 'outcome' | 'rewrote' | 'consumers'> | undefined> {
  const { shown } = listed.ref
  if (action === 'check') return check(deps, shown)
  if (action === 'announce') {
    const aheadMs = mustReckon(listed, at) ? aheadOf(listed.publishedAt, at) : undefined
    const told = await announcePass(deps, shown, at)
    if (aheadMs === undefined) return told
    const counts = `${aheadText(aheadMs)}; it counts from now`
    return { ...told, outcome: told === undefined ? counts : `${counts}; ${told.outcome}` }
  }
  if (action === 'retire') {
    const { entries } = await retirePass(deps, shown)
    return listOf(entries.map(({ id, state, why }) => `${id} ${state}: ${why}`))
  }
  if (action === 'companions') {
    const repaired = await repairCompanions(deps, shown, isCheckDue(listed, at))
    return listOf(repaired.map(({ companion, says }) => `${companion}: ${says}`))
  }
  const checked = action === 'start' ? await preflightPass(deps, shown) : []
  const asked = action === 'resume' ? ({ kind: 'resume' } as const) : ({ kind: 'rotate', due: true } as const)
  const { outcome, version, rewrote } = await rotate({ ...deps, checked }, { ...asked, ref: shown, at })
  if (outcome === 'published') await announce(deps, shown)
  return { outcome: version === undefined ? outcome : `${outcome} ${version}`, ...optional('rewrote', rewrote) }
}

const listOf = (parts: readonly string[]): string | undefined => (parts.length === 0 ? undefined : parts.join('; '))

async function announcePass(deps: Deps, shown: string, at: number): Promise<Pick<Swept, 'outcome' | 'consumers'> | undefined> {
  const { outcome, told } = await announce(deps, shown)
  if (outcome === 'none') return undefined
  const behind = told.filter(({ seen }) => seen.phase === 'failed')
  const moving = told.filter(({ seen }) => seen.phase !== 'failed' && seen.at >= at)
  const text = [
    outcome,
    ...moving.map(({ consumer, seen, evidence }) => `${consumer.key} ${seen.phase}: ${evidence}`),
    ...behind.map(({ consumer, evidence }) => `${consumer.key}: ${evidence}`),
  ].join('; ')
  const consumers = told.map(({ consumer, seen, evidence }) => ({ consumer: consumer.key, phase: seen.phase, evidence }))
  return { outcome: text, consumers }
}

/** Finds drift: a stored value that no longer logs in, long before a rotation would find out. */
async function check(deps: Deps, shown: string): Promise<string> {
  await preflightPass(deps, shown)
  const looked = await verifyCurrent(deps, shown).catch((cause: unknown) => noteUnseen(deps, shown, cause))
  const wrong = lookError(looked)
  const { tools, state } = await openSecret(deps, shown)
  // What passes by itself, such as a full server, is looked at again by the next sweep. A refused password is tried once a day.
  const isDone = wrong?.remedy !== 'retry'
  await noteLook(tools, state, {
    version: looked.version,
    ...optional('code', wrong?.code),
    ...optional('expiresAt', looked.end?.at),
    ...(isDone ? { checkedAt: deps.env.now() } : {}),
  })
  if (wrong !== undefined) throw wrong
  return shownLook(looked)
}

/** Notes why the target could not be asked at all, and throws that. */
async function noteUnseen(deps: Deps, shown: string, cause: unknown): Promise<never> {
  const code = codeOf(cause)
  if (code?.startsWith('target_') || code === 'password_not_checked') {
    const { tools, state } = await openSecret(deps, shown)
    if (state.current !== undefined) await noteLook(tools, state, { version: state.current.id, code })
  }
  throw cause
}
