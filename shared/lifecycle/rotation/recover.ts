import { codeOf, messageOf, RotationError } from '../../core/errors.js'
import { newToken } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Context } from '../../core/ports/rotator.js'
import type { SecretState, SecretStoreAdmin, VersionInfo } from '../../core/ports/store.js'
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

/** One stored version and what the target said to it. unknown: not tried, or the target could not be asked. */
export interface Tried {
  readonly version: VersionId
  readonly stage: 'current' | 'pending' | 'previous' | 'staged' | 'other'
  readonly id?: CredentialId
  readonly createdAt: number
  readonly works: 'works' | 'refused' | 'unknown'
  readonly why?: string
}

/** nothing: all is well · unstick: current works · discard: current works, and the target refuses the pending value, which is given up · resume: the pending value is accepted and only has to be published · restore: an older version is the only one that works · by hand: none works. */
export type SafeAction =
  | { readonly do: 'nothing' | 'unstick' | 'discard' | 'resume' | 'by hand'; readonly why: string }
  | { readonly do: 'restore'; readonly version: VersionId; readonly why: string }

/** What the target said to each stored version, and the one safe action. */
export interface Recovery {
  readonly ref: SecretRef
  readonly tried: readonly Tried[]
  readonly action: SafeAction
  /** The action was carried out. */
  readonly done: boolean
}

/** Targets lock accounts after a few refused logins: this many per account and recovery, the likeliest first. */
const refusedMax = 3
const othersMax = 20

/**
 * Tries every version that is still stored, those without a stage too, with one login each and at most three refused ones per account; says the
 * one safe action; carries it out with `yes`. Does not pass through decide: it is what gets a secret out of `stuck`.
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

async function candidates(state: SecretState, admin: SecretStoreAdmin): Promise<readonly [Tried['stage'], VersionInfo][]> {
  const { current, pending, previous, loose } = state
  const staged: [Tried['stage'], VersionInfo | undefined][] = [
    ['current', current],
    ['pending', pending],
    ['previous', previous],
    ...loose.map((info): [Tried['stage'], VersionInfo] => ['staged', info]),
  ]
  const known = new Set(staged.map(([, info]) => info?.id))
  const others: [Tried['stage'], VersionInfo][] = []
  for await (const info of admin.history(state.ref)) {
    if (!known.has(info.id) && others.length < othersMax) others.push(['other', info])
  }
  return [...staged, ...others].filter((one): one is [Tried['stage'], VersionInfo] => one[1]?.hasValue === true)
}

async function tryAll(
  tools: Tools,
  setup: Known,
  state: SecretState,
  versions: readonly [Tried['stage'], VersionInfo][],
): Promise<readonly Tried[]> {
  const context = await lookContext(tools, setup, state)
  const refused = new Map<CredentialId, number>()
  const answers: { readonly text: SecretText; readonly tried: Tried }[] = []
  for (const [stage, { id: version, createdAt }] of versions) {
    const text = await readIfThere(tools, state, version)
    if (text === undefined) continue
    const same = answers.find((answer) => answer.text.equals(text))?.tried // the same value is not tried twice
    const tried = same ? { ...same, stage, version, createdAt } : await tryOne(setup, context, refused, { stage, version, createdAt, text })
    answers.push({ text, tried })
  }
  return answers.map(({ tried }) => tried)
}

/** A placeholder that a service left has no value, and none that could be tried. */
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
    return { ...rest, works: 'refused', why: messageOf(cause) } // no credential at all
  }
  const id = rotator.identify(value)
  try {
    const before = refused.get(id) ?? 0
    if (before >= refusedMax) return { ...rest, id, works: 'unknown', why: `not tried: ${refusedMax} values of ${id} were refused already` }
    if (await rotator.accepted(context, value)) return { ...rest, id, works: 'works' }
    const late = rest.stage === 'pending' && (rotator.traits.asynchronous === true || context.admin?.hosts !== undefined)
    if (late) return { ...rest, id, works: 'unknown', why: 'refused for now, which proves nothing: it may take effect later' }
    refused.set(id, before + 1)
    return { ...rest, id, works: 'refused' }
  } catch (cause) {
    if (!(cause instanceof RotationError) || cause.code === 'internal') throw cause
    return { ...rest, id, works: 'unknown', why: cause.message }
  }
}

/** Pure: from what the target said to the one thing that can do no harm. */
export function safeAction(state: SecretState, tried: readonly Tried[]): SafeAction {
  const of = (stage: Tried['stage']) => tried.find((one) => one.stage === stage)
  const [current, pending] = [of('current'), of('pending')]
  const refused = pending?.works === 'refused' && pending.why === undefined && state.drivenBy === 'engine'
  if (current?.works === 'works' && refused && state.journal?.code === undefined)
    return { do: 'discard', why: 'the current value logs in, and the target refuses the pending one: it can be given up' }
  if (current?.works === 'works') {
    return state.journal?.code === undefined
      ? { do: 'nothing', why: 'the current value logs in, and nothing is stuck' }
      : { do: 'unstick', why: 'the current value logs in: rotations may start again' }
  }
  if (current?.works === 'unknown') return { do: 'by hand', why: `the current value could not be tried: ${current.why ?? 'unknown'}` }
  const onCurrent = state.pending !== undefined && state.pending.base === state.current?.id
  if (pending?.works === 'works' && onCurrent)
    return { do: 'resume', why: 'the target accepts the pending value: it only has to be published' }
  // Also where pending is not known yet: what logs in now is better for consumers than what is refused now, and what takes effect later is found again.
  const working = tried.find((one) => one.works === 'works')
  if (working !== undefined)
    return { do: 'restore', version: working.version, why: `of all stored values only ${working.version} (${working.stage}) logs in` }
  if (pending?.works === 'unknown') return { do: 'by hand', why: `the pending value could not be tried: ${pending.why ?? 'unknown'}` }
  const unknown = tried.some((one) => one.works === 'unknown')
  return {
    do: 'by hand',
    why: unknown ? 'no value that could be tried logs in' : 'no stored value logs in: set the current one at the target',
  }
}

/** With the proof of the logins that were just made: pending refused, current accepted. */
async function discard(tools: Tools, setup: Known, state: SecretState): Promise<void> {
  const { pending } = state
  if (pending === undefined) return
  const { deps, store } = tools
  const wish = { token: pending.token, kind: pending.kind ?? 'rotate', holder: deps.holder, leaseMs: deps.leaseMs } as const
  const work = await openWork(tools, setup, state, await store.claim(state, wish))
  const staged = await readPending(work, pending.id)
  await giveUpValue(work, staged.version, staged.value)
  await endLease(tools, state.ref)
  const after = await store.describe(state.ref)
  if (after.journal?.code !== undefined) await store.note(after, { code: null })
}

/** Publishes the value of an older version under a new token: staged first, so that it is never only in this process, and tested once more. */
async function restore(tools: Tools, setup: Known, state: SecretState, version: VersionId): Promise<void> {
  const { store, deps } = tools
  const ending = (state.journal?.retiring ?? []).find((entry) => entry.state === 'armed' && (entry.leaseUntil ?? 0) > deps.env.now())
  if (ending !== undefined) {
    throw new RotationError('held', `${ending.id} of ${state.ref.shown} is being retired at this moment.`, {
      next: `Run keyturn recover ${state.ref.shown} again after ${new Date(ending.leaseUntil ?? 0).toISOString()}.`,
    })
  }
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
  // Only now: whoever dies before leaves it stuck, and nobody logs in before a person looked again.
  const after = await store.describe(state.ref)
  if (after.journal?.code !== undefined) await store.note(after, { code: null })
}

/** A token of our own, also where a service drives: a mark that still stands on a refused value is taken away first, because its token keeps that value. */
async function tokenFor({ store, deps }: Tools, state: SecretState): Promise<Token> {
  const { pending, drivenBy } = state
  if (drivenBy === 'service' && pending?.hasValue) {
    const claim = await store.claim(state, { token: pending.token, kind: 'put', holder: deps.holder, leaseMs: deps.leaseMs })
    await store.discard(claim, pending.id)
  }
  return newToken('put', deps.env.random(16))
}
