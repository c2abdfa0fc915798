import { codeOf, messageOf, RotationError } from '../../core/errors.js'
import { prefix } from '../../core/policy/index.js'
import type { Code } from '../../core/ports/errors.js'
import type { OpenRotation, SecretView } from '../../core/ports/store.js'
import { nextFor } from '../../core/remedies.js'
import { announce, isProgressing, refusedBefore } from '../consumers/announce.js'
import { repairCompanions } from '../consumers/companions.js'
import { preflightPass } from '../consumers/preflight.js'
import { isDue } from '../decide/publication.js'
import { retirePass } from '../retirement/retire.js'
import { frozenNow } from '../rotation/facts.js'
import { rotate } from '../rotation/rotate.js'
import { verifyCurrent } from '../secret/adopt.js'
import type { Deps } from '../secret/deps.js'
import { opened, openSecret } from '../secret/open.js'
import { isCheckDue, isStartDue } from '../secret/schedule.js'
import { createTools, type Setup } from '../secret/setup.js'
import { viewOf } from './view.js'

export const sweepActions = ['resume', 'announce', 'retire', 'companions', 'start', 'check'] as const
export type SweepAction = (typeof sweepActions)[number]

/** One worker call and how it ended; `code` where it failed or has to wait. */
export interface Swept {
  readonly ref: string
  readonly action: SweepAction | 'look'
  readonly outcome: string
  readonly code?: Code
}

/** What one look at a secret says is due; no login, and no read but where nothing names the rotator. `state`: as the listing shows it. */
export async function dueActions(deps: Deps, state: SecretView): Promise<readonly SweepAction[]> {
  if (state.journal?.code !== undefined) return dueAlways(deps, state).due
  return dueOf(deps, state, await opened(createTools(deps), state).setup())
}

/** What is due whatever the secret is, also while it is stuck. */
function dueAlways(deps: Deps, state: SecretView): { readonly due: readonly SweepAction[]; readonly open: boolean } {
  const now = deps.env.now()
  const rotation = state.journal?.rotation
  const leftover = state.pending?.hasValue === true || state.loose.length > 0
  const over = rotation === undefined || rotation.published !== undefined || (!leftover && isOrphaned(deps, state, rotation))
  const open = rotation !== undefined && !over && rotation.leaseUntil <= now
  const resume = state.drivenBy === 'engine' && (open || (leftover && (rotation?.leaseUntil ?? 0) <= now))
  const due: SweepAction[] = []
  if (resume) due.push('resume')
  if (deps.journal && (isDue(state) || refusedBefore(state, now) || isProgressing(state, now))) due.push('announce')
  if ((state.journal?.retiring ?? []).length > 0) due.push('retire')
  return { due, open }
}

/** The same for one that was understood already. */
export function dueOf(deps: Deps, state: SecretView, setup: Setup): readonly SweepAction[] {
  const now = deps.env.now()
  const { due: always, open } = dueAlways(deps, state)
  const { settings, rotator, configuration, companions } = setup
  if (rotator === undefined || state.journal?.code !== undefined) return always
  const due = [...always]
  if (companions.length > 0 && deps.journal && !isDue(state)) due.push('companions')
  const { window: _, ...anyTime } = settings
  if (!due.includes('resume') && !open && isStartDue(state, setup, now)) due.push('start')
  if (deps.journal && !due.includes('resume') && isCheckDue(state, now) && frozenNow(anyTime, configuration, now) === undefined)
    due.push('check')
  return due
}

/**
 * It died before its value was kept, and nobody can go on with it: only who put a value knows that, which parts were meant nobody does, and what the
 * target refused would be refused again. The next rotation takes its place; to wait for it would end the schedule for good.
 */
const isOrphaned = ({ environment }: Deps, { policy }: SecretView, { kind, refusals }: OpenRotation): boolean =>
  kind === 'put' || (kind === 'rollback' && refusals > 0) || { ...environment, ...policy }[`${prefix}parts`] !== undefined

/**
 * One bounded pass over all managed secrets, one after the other, in constant memory: the listing looks, each due action is a call of its own
 * that decides from fresh state. May run twice at once. Never throws for one secret; what went wrong is in the answer.
 */
export async function* sweep(deps: Deps): AsyncIterable<Swept> {
  const { store } = createTools(deps)
  const unread: Swept[] = []
  for await (const listed of store.list({ managed: true }, (shown, cause) => void unread.push(failed(shown, 'look', cause)))) {
    yield* unread.splice(0)
    if (deps.env.cancelled.aborted) return
    const ref = listed.ref.shown
    try {
      const [lookedAt, state] = [deps.env.now(), await viewOf(store, listed)]
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
      if (outcome !== undefined) yield { ref, action, outcome }
    } catch (cause) {
      yield failed(ref, action, cause)
    }
  }
}

const failed = (ref: string, action: Swept['action'], cause: unknown): Swept => {
  if (!(cause instanceof RotationError)) throw cause
  return { ref, action, outcome: messageOf(cause), code: codeOf(cause) ?? 'internal' }
}

/** `at`: when it was looked; what was published since answers it. undefined: there was nothing to do after all. */
async function act(deps: Deps, listed: SecretView, action: SweepAction, at: number): Promise<string | undefined> {
  const { ref } = listed
  if (action === 'check') return check(deps, ref.shown)
  if (action === 'announce') {
    const { outcome, told } = await announce(deps, ref.shown)
    const behind = told.filter(({ seen }) => seen.phase === 'failed').map(({ consumer, evidence }) => `${consumer.key}: ${evidence}`)
    const moving = told
      .filter(({ seen }) => seen.phase !== 'failed' && seen.at >= at)
      .map(({ consumer, seen }) => `${consumer.key} ${seen.phase}`)
    return outcome === 'none' ? undefined : [outcome, ...moving, ...behind].join('; ')
  }
  if (action === 'retire') {
    const { entries } = await retirePass(deps, ref.shown)
    return entries.length === 0 ? undefined : entries.map(({ id, state, why }) => `${id} ${state}: ${why}`).join('; ')
  }
  if (action === 'companions') {
    const healed = await repairCompanions(deps, ref.shown, isCheckDue(listed, at))
    return healed.length === 0 ? undefined : healed.map(({ companion, says }) => `${companion}: ${says}`).join('; ')
  }
  if (action === 'start') await preflightPass(deps, ref.shown)
  const asked = action === 'resume' ? ({ kind: 'resume' } as const) : ({ kind: 'rotate', due: true } as const)
  const { outcome, version } = await rotate(deps, { ...asked, ref: ref.shown, at })
  if (outcome === 'published') await announce(deps, ref.shown)
  return version === undefined ? outcome : `${outcome} ${version}`
}

/** Drift: the stored value does not log in any more, long before a rotation would find out. */
async function check(deps: Deps, shown: string): Promise<string> {
  await preflightPass(deps, shown)
  const { accepted } = await verifyCurrent(deps, shown)
  const { tools, state } = await openSecret(deps, shown)
  try {
    await tools.store.note(state, { checkedAt: deps.env.now() })
  } catch (cause) {
    if (!['denied', 'conflict'].includes(codeOf(cause) ?? '')) throw cause // then it is looked at once more, which does no harm
  }
  if (accepted) return 'logs in'
  throw new RotationError('target_auth', `The target refuses the current value of ${shown}.`, { next: nextFor('target_auth', shown) })
}
