import { leaseMsMax } from '../../core/clock.js'
import { RotationError } from '../../core/errors.js'
import { newToken } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Proof } from '../../core/ports/rotator.js'
import type { SecretState, SecretStoreAdmin } from '../../core/ports/store.js'
import type { SecretRef, Token, VersionId } from '../../core/ports/words.js'
import { proofOf } from '../../core/proof.js'
import type { Deps } from '../secret/deps.js'
import { endLease, leased } from '../secret/lease.js'
import { type Opened, openSecret } from '../secret/open.js'
import { assertNoneEnding, publishAgain } from '../secret/publish-again.js'
import type { Known, Tools } from '../secret/setup.js'
import { giveUpValue } from './refused-value.js'
import { readPending } from './steps.js'
import { type Tried, tryVersions } from './try-versions.js'
import { openWork } from './work.js'

export type { Tried }

/**
 * nothing: all is well · unstick: current works · discard: current works, and the target refuses the pending value, which is given up · resume: the
 * target accepts the pending value, which only needs to be published · restore: an older version is the only one that works, or what was published after it
 * is gone · by hand: none works.
 */
export type SafeAction =
  | { readonly do: 'nothing' | 'unstick' | 'discard' | 'resume' | 'by hand'; readonly why: string }
  | { readonly do: 'restore'; readonly version: VersionId; readonly why: string }

/** What the target answered for each stored version, and the one safe action. */
export interface Recovery {
  readonly ref: SecretRef
  readonly tried: readonly Tried[]
  readonly action: SafeAction
  /** What proves a value of this secret. With `answer` nothing was tried. */
  readonly proof: Proof
  /** Whether the action was carried out. */
  readonly done: boolean
  /** How many versions were not tried, because a limit was reached. */
  readonly left: number
  /** Where to continue with those: the last version before the first of them. */
  readonly after?: VersionId
}

/** What a person asks of recover besides. */
export interface Asked {
  /** Continue behind this version: an earlier recovery stopped there. */
  readonly after?: VersionId
}

/**
 * Tries every version that is still stored, even without a stage: one login each, and at most three refused ones per account. It names the one safe
 * action, and carries it out with `yes`. It does not pass through decide, because it gets a secret out of `stuck`.
 */
export async function recover(
  deps: Deps,
  admin: SecretStoreAdmin,
  refText: string,
  yes: boolean,
  { after }: Asked = {},
): Promise<Recovery> {
  const { opened, isMade } = await openWithPlace(deps, admin, refText, yes)
  const { tools, ref, state, known: loadKnown } = opened
  const known = await loadKnown()
  const { tried, left, stoppedAt } = await tryVersions(tools, known, state, admin, after)
  const proof = proofOf(known.rotator, known.policy)
  const judged = proof === 'answer' ? untriedAction(state, isMade) : safeAction(state, tried, deps.env.now())
  const action = isMade && judged.do === 'nothing' ? placeMade : judged
  const found = { ref, tried, action, proof, left, ...optional('after', stoppedAt) }
  if (yes && action.do === 'by hand') await stopForPut(tools, state, tried)
  if (!yes || action.do === 'nothing' || action.do === 'by hand') return { ...found, done: false }
  await leased(tools, ref, () => carryOut(tools, known, state, action))
  return { ...found, done: true }
}

async function carryOut(tools: Tools, known: Known, state: SecretState, action: SafeAction): Promise<void> {
  if (action.do === 'restore') await restore(tools, known, state, action.version)
  else if (action.do === 'discard') await discard(tools, known, state)
  else if (state.journal?.code !== undefined) await tools.store.note(state, { code: null })
}

const placeMade: SafeAction = { do: 'unstick', why: 'the staging place was made again: rotations may start again' }

/** Makes a lost staging place again before anything is tried: without it nothing can be noted. The state is read again then. */
async function openWithPlace(
  deps: Deps,
  admin: SecretStoreAdmin,
  refText: string,
  yes: boolean,
): Promise<{ readonly opened: Opened; readonly isMade: boolean }> {
  const open = () => openSecret(deps, refText, { ways: 'back', versions: (ref) => admin.history(ref) })
  const first = await open()
  if (!first.state.placeLost || !yes || admin.restorePlace === undefined) return { opened: first, isMade: false }
  await admin.restorePlace(first.ref)
  return { opened: await open(), isMade: true }
}

/** Where the target refuses current, a put must not wait for grace or announcements: a stuck secret takes one that a login proves. */
async function stopForPut({ store }: Tools, state: SecretState, tried: readonly Tried[]): Promise<void> {
  const isRefused = tried.some(({ stage, works }) => stage === 'current' && works === 'refused')
  if (isRefused && state.journal?.code === undefined) await store.note(state, { code: 'stuck' })
}

/** Chooses the one action that can do no harm, from what the target answered. Pure. */
export function safeAction(state: SecretState, tried: readonly Tried[], now: number): SafeAction {
  const of = (stage: Tried['stage']) => tried.find((one) => one.stage === stage)
  const current = of('current')
  const pending = of('pending')
  if (current?.works === 'works') return whileCurrentWorks(state, pending, now)
  const untried = ({ why = 'unknown' }: Tried): string => `value could not be tried: ${why}`
  if (current?.works === 'unknown') return { do: 'by hand', why: `the current ${untried(current)}` }
  const onCurrent = state.pending !== undefined && state.pending.base === state.current?.id
  if (pending?.works === 'works' && onCurrent)
    return { do: 'resume', why: 'the target accepts the pending value, which only needs to be published' }
  // Even where pending is not known yet: a value that is accepted now is better for consumers than a refused one, and what takes effect later is found again.
  const working = tried.find((one) => one.works === 'works')
  if (working !== undefined) {
    const { version, stage } = working
    return { do: 'restore', version, why: `of all stored values the target accepts only ${version} (${stage})` }
  }
  if (pending?.works === 'unknown') return { do: 'by hand', why: `the pending ${untried(pending)}` }
  if (tried.some((one) => one.works === 'unknown')) return { do: 'by hand', why: 'the target accepts no value that could be tried' }
  return { do: 'by hand', why: 'the target accepts no stored value: set the current one at the target' }
}

/**
 * The same where no password can be tried. What only a login could tell, a person decides; where a value is lost for good, what is current is set
 * again. `placeMade`: the staging place was lost, and is there again. Pure.
 */
export function untriedAction({ journal, current, placeLost, publishedGone }: SecretState, placeMade: boolean): SafeAction {
  if ((placeLost || placeMade) && current !== undefined) {
    const why = `the staging place was lost, perhaps with the only value that the target accepts: ${current.id} is set again and published`
    return { do: 'restore', version: current.id, why }
  }
  const lost = publishedGone === true ? journal?.rotation?.published : undefined
  if (lost !== undefined && current !== undefined) {
    const why = `version ${lost} was published and cannot be read; ${current.id} is set again and published`
    return { do: 'restore', version: current.id, why }
  }
  const untold = 'no login can tell which value the target accepts'
  if (journal?.code !== undefined) return { do: 'by hand', why: `${untold}: give the one that shall be set` }
  return { do: 'nothing', why: `nothing is stuck; ${untold}` }
}

function whileCurrentWorks(state: SecretState, pending: Tried | undefined, now: number): SafeAction {
  const { journal, drivenBy, pending: staged, placeLost } = state
  if (placeLost) return { do: 'unstick', why: 'the target accepts the current value; the staging place is gone and has to be made again' }
  const lost = state.publishedGone === true ? journal?.rotation?.published : undefined
  if (lost !== undefined && state.current !== undefined) {
    const why = `version ${lost} was published and cannot be read; the target accepts ${state.current.id}, which is published again`
    return { do: 'restore', version: state.current.id, why }
  }
  if (journal?.code !== undefined) return { do: 'unstick', why: 'the target accepts the current value: rotations may start again' }
  const isRefused = pending?.works === 'refused' && pending.why === undefined
  // A platform's own rotation is left to it for as long as one of its invocations may still be at work.
  const isLeft = drivenBy === 'engine' || (staged !== undefined && staged.createdAt + leaseMsMax < now)
  if (isRefused && isLeft)
    return { do: 'discard', why: 'the target accepts the current value, and refuses the pending one: it can be given up' }
  return { do: 'nothing', why: 'the target accepts the current value, and nothing is stuck' }
}

/** Gives the pending value up. The logins that were just made are the proof: pending is refused, current is accepted. */
async function discard(tools: Tools, setup: Known, state: SecretState): Promise<void> {
  const { pending } = state
  if (pending === undefined) return
  const { deps, store } = tools
  const { token, kind = 'rotate' } = pending
  const wish = { token, kind, holder: deps.holder, leaseMs: deps.leaseMs } as const
  const work = await openWork(tools, setup, state, await store.claim(state, wish))
  const staged = await readPending(work, pending.id)
  await giveUpValue(work, staged.version, staged.value)
  await endLease(tools, state.ref)
  const after = await store.describe(state.ref)
  if (after.journal?.code !== undefined) await store.note(after, { code: null })
}

/** Publishes the value of an older version. The secret stays stuck until then: where the process dies earlier, nothing logs in before a person has looked. */
async function restore(tools: Tools, setup: Known, state: SecretState, version: VersionId): Promise<void> {
  const { store, deps } = tools
  const { shown } = state.ref
  assertNoneEnding(state, deps.env.now())
  const under = { token: await tokenFor(tools, state), reason: `recover: restores ${version}` }
  if (!(await publishAgain(tools, setup, state, version, under))) {
    throw new RotationError('target_auth', `${version} of ${shown} could not be shown to work any more; nothing was published.`, {
      next: `Run keyturn recover ${shown} again.`,
    })
  }
  const after = await store.describe(state.ref)
  if (after.journal?.code !== undefined) await store.note(after, { code: null })
}

/** A token of our own, even where a service drives. There the pending mark is removed from a refused value first, because its token keeps that value. */
async function tokenFor({ store, deps }: Tools, state: SecretState): Promise<Token> {
  const { pending, drivenBy } = state
  if (drivenBy === 'service' && pending?.hasValue) {
    const { token } = pending
    const claim = await store.claim(state, { token, kind: 'put', holder: deps.holder, leaseMs: deps.leaseMs })
    await store.discard(claim, pending.id)
  }
  return newToken('put', deps.env.random(16))
}
