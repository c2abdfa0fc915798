import { isLeaseLive } from '../../core/clock.js'
import { codeOf, messageOf, RotationError } from '../../core/errors.js'
import { newToken } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Context } from '../../core/ports/rotator.js'
import type { Retiring, SecretState, SecretStoreAdmin, VersionInfo } from '../../core/ports/store.js'
import type { CredentialId, SecretRef, Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { lookContext } from '../secret/context.js'
import type { Deps } from '../secret/deps.js'
import { endLease } from '../secret/lease.js'
import { openSecret } from '../secret/open.js'
import type { Known, Tools } from '../secret/setup.js'
import { giveUpValue } from './refused-value.js'
import { readPending } from './steps.js'
import { openWork } from './work.js'

/** One stored version and what the target answered. unknown: it was not tried, or the target could not be asked. */
export interface Tried {
  readonly version: VersionId
  readonly stage: 'current' | 'pending' | 'previous' | 'staged' | 'other'
  readonly id?: CredentialId
  readonly createdAt: number
  readonly works: 'works' | 'refused' | 'unknown'
  readonly why?: string
}

/**
 * nothing: all is well · unstick: current works · discard: current works, and the target refuses the pending value, which is given up · resume: the
 * target accepts the pending value, which only needs to be published · restore: an older version is the only one that works · by hand: none works.
 */
export type SafeAction =
  | { readonly do: 'nothing' | 'unstick' | 'discard' | 'resume' | 'by hand'; readonly why: string }
  | { readonly do: 'restore'; readonly version: VersionId; readonly why: string }

/** What the target answered for each stored version, and the one safe action. */
export interface Recovery {
  readonly ref: SecretRef
  readonly tried: readonly Tried[]
  readonly action: SafeAction
  /** Whether the action was carried out. */
  readonly done: boolean
}

/** Targets lock accounts after a few refused logins. One recovery makes at most this many per account, and tries the likeliest value first. */
const refusedMax = 3
const othersMax = 20

/**
 * Tries every version that is still stored, even without a stage: one login each, and at most three refused ones per account. It names the one safe
 * action, and carries it out with `yes`. It does not pass through decide, because it gets a secret out of `stuck`.
 */
export async function recover(deps: Deps, admin: SecretStoreAdmin, refText: string, yes: boolean): Promise<Recovery> {
  const { tools, ref, state, known: loadKnown } = await openSecret(deps, refText, { ways: 'back' })
  const known = await loadKnown()
  const tried = await tryAll(tools, known, state, await candidates(state, admin))
  const action = safeAction(state, tried)
  if (!yes || action.do === 'nothing' || action.do === 'by hand') return { ref, tried, action, done: false }
  if (action.do === 'restore') await restore(tools, known, state, action.version)
  else if (action.do === 'discard') await discard(tools, known, state)
  else if (state.journal?.code !== undefined) await tools.store.note(state, { code: null })
  return { ref, tried, action, done: true }
}

type Candidate<Info = VersionInfo> = [stage: Tried['stage'], info: Info]

async function candidates(state: SecretState, admin: SecretStoreAdmin): Promise<readonly Candidate[]> {
  const { current, pending, previous, loose } = state
  const staged: Candidate<VersionInfo | undefined>[] = [
    ['current', current],
    ['pending', pending],
    ['previous', previous],
    ...loose.map((info): Candidate => ['staged', info]),
  ]
  const known = new Set(staged.map(([, info]) => info?.id))
  const others: Candidate[] = []
  for await (const info of admin.history(state.ref)) {
    if (!known.has(info.id) && others.length < othersMax) others.push(['other', info])
  }
  const hasValue = (one: Candidate<VersionInfo | undefined>): one is Candidate => one[1]?.hasValue === true
  return [...staged, ...others].filter(hasValue)
}

async function tryAll(tools: Tools, setup: Known, state: SecretState, versions: readonly Candidate[]): Promise<readonly Tried[]> {
  const context = await lookContext(tools, setup, state)
  const refused = new Map<CredentialId, number>()
  const answers: { readonly text: SecretText; readonly tried: Tried }[] = []
  for (const [stage, { id: version, createdAt }] of versions) {
    const text = await readIfThere(tools, state, version)
    if (text === undefined) continue
    const same = answers.find((answer) => answer.text.equals(text))?.tried // the same value is not tried twice
    const here = { stage, version, createdAt }
    const tried = same ? { ...same, ...here } : await tryOne(setup, context, refused, { ...here, text })
    answers.push({ text, tried })
  }
  return answers.map(({ tried }) => tried)
}

/** undefined for a placeholder that a service left: it has no value to try. */
async function readIfThere({ store }: Tools, { ref }: SecretState, version: VersionId): Promise<SecretText | undefined> {
  try {
    return await store.read(ref, version)
  } catch (cause) {
    if (codeOf(cause) === 'not_found') return undefined
    throw cause
  }
}

async function tryOne(
  { rotator, policy }: Known,
  context: Context<unknown>,
  refused: Map<CredentialId, number>,
  { text, ...rest }: Pick<Tried, 'stage' | 'version' | 'createdAt'> & { readonly text: SecretText },
): Promise<Tried> {
  let value: unknown
  try {
    value = rotator.parse(text, policy)
  } catch (cause) {
    if (codeOf(cause) !== 'bad_value') throw cause
    return { ...rest, works: 'refused', why: messageOf(cause) } // it is not a credential at all
  }
  const id = rotator.identify(value)
  const unknown = (why: string): Tried => ({ ...rest, id, works: 'unknown', why })
  try {
    const before = refused.get(id) ?? 0
    if (before >= refusedMax) return unknown(`not tried: ${refusedMax} values of ${id} were refused already`)
    if (await rotator.accepted(context, value)) return { ...rest, id, works: 'works' }
    const appliesLater = rotator.traits.asynchronous === true || context.admin?.hosts !== undefined
    if (rest.stage === 'pending' && appliesLater) return unknown('refused for now, which proves nothing: it may take effect later')
    refused.set(id, before + 1)
    return { ...rest, id, works: 'refused' }
  } catch (cause) {
    if (!(cause instanceof RotationError) || cause.code === 'internal') throw cause
    return unknown(cause.message)
  }
}

/** Chooses the one action that can do no harm, from what the target answered. Pure. */
export function safeAction(state: SecretState, tried: readonly Tried[]): SafeAction {
  const of = (stage: Tried['stage']) => tried.find((one) => one.stage === stage)
  const current = of('current')
  const pending = of('pending')
  if (current?.works === 'works') return whileCurrentWorks(state, pending)
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

function whileCurrentWorks({ journal, drivenBy }: SecretState, pending: Tried | undefined): SafeAction {
  if (journal?.code !== undefined) return { do: 'unstick', why: 'the target accepts the current value: rotations may start again' }
  const isRefused = pending?.works === 'refused' && pending.why === undefined
  if (isRefused && drivenBy === 'engine')
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

/** Publishes the value of an older version under a new token. It is staged first, so that it is never only in this process, and tested once more. */
async function restore(tools: Tools, setup: Known, state: SecretState, version: VersionId): Promise<void> {
  const { store, deps } = tools
  assertNoneEnding(state, deps.env.now())
  const open = state.journal?.rotation?.published === undefined ? state.journal?.rotation : undefined
  const claim = await store.claim(state, {
    token: await tokenFor(tools, state),
    kind: 'put',
    holder: deps.holder,
    leaseMs: deps.leaseMs,
    reason: `recover: restores ${version}`,
    ...optional('replaces', open?.token),
  })
  const work = await openWork(tools, setup, state, { ...claim, base: state.current?.id ?? claim.base })
  const text = await store.read(state.ref, version)
  const staged = await store.stage(claim, text)
  const works = staged.stored !== 'other' && (await setup.rotator.accepted(work.context, setup.rotator.parse(text, setup.policy)))
  if (!works) {
    if (staged.stored !== 'other') await store.discard(claim, staged.version)
    throw new RotationError('target_auth', `${version} of ${state.ref.shown} could not be shown to work any more; nothing was published.`, {
      next: `Run keyturn recover ${state.ref.shown} again.`,
    })
  }
  await store.publish(claim, staged.version)
  // Only now: a process that dies earlier leaves the secret stuck, so that nothing logs in before a person has looked again.
  const after = await store.describe(state.ref)
  if (after.journal?.code !== undefined) await store.note(after, { code: null })
}

function assertNoneEnding({ ref, journal }: SecretState, now: number): void {
  const isEnding = ({ state, leaseUntil = 0 }: Retiring): boolean => state === 'armed' && isLeaseLive(leaseUntil, now)
  const ending = (journal?.retiring ?? []).find(isEnding)
  if (ending === undefined) return
  const until = new Date(ending.leaseUntil ?? 0).toISOString()
  throw new RotationError('held', `${ending.id} of ${ref.shown} is being retired at this moment.`, {
    next: `Run keyturn recover ${ref.shown} again after ${until}.`,
  })
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
