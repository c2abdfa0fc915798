import { atMostOnce } from '../../core/at-most-once.js'
import { codeOf, RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { AnyRotator, Context } from '../../core/ports/rotator.js'
import type { Claim, SecretState } from '../../core/ports/store.js'
import type { CredentialId, Policy, Step, VersionId } from '../../core/ports/words.js'
import { proofOf } from '../../core/proof.js'
import type { SecretText } from '../../core/secret-text.js'
import { reachedAt } from '../consumers/companions.js'
import { adminOf } from '../secret/context.js'
import { idsOf } from '../secret/outgoing.js'
import type { Known, Setup, Tools } from '../secret/setup.js'

/** What a rotator starts before its deadline must have ended, one way or another, when the lease ends: nobody else acts before that. */
const marginMs = 30_000

/** One claimed rotation: what its steps share. Values are read at most once. */
export interface Work {
  readonly tools: Tools
  readonly setup: Setup
  readonly rotator: AnyRotator
  readonly claim: Claim
  readonly context: Context<unknown>
  /** The base's value as text: the new credential is written into its shape. */
  readonly baseText?: SecretText
  /** False while an administrator is named but was not read: then `check` waits for the step that uses it. */
  readonly checkable: boolean
  /** Somebody else serialises the steps and answers for those before this one. */
  readonly vouched: boolean
  /** Reads everything that `needs` left out, for the rare case in which it is needed after all. */
  loadEverything(): Promise<Work>
}

/** What the steps have to read. Each read is a call, and somebody pays for it. */
export interface Needs {
  readonly base: boolean
  readonly admin: boolean
}
const everything: Needs = { base: true, admin: true }

/** How a rotation is carried out: `ownManner` is our own loop's. */
export interface Manner {
  needs(setup: Known, asked: readonly Step[]): Needs
  /** Notes may be written beside the values. */
  readonly mayNote: boolean
  /** Somebody else serialises the steps and answers for those before. No lease is given back, and a step alone proves what it would prove in a row. */
  readonly vouched: boolean
}
/** How our own loop carries out a rotation. */
export const ownManner: Manner = { needs: () => everything, mayNote: true, vouched: false }

/** The older keys of a value that nothing needs any more, as somebody said. */
export const releasedIn = ({ journal }: SecretState): readonly CredentialId[] =>
  (journal?.retiring ?? []).filter((entry) => entry.state === 'armed').map(({ id }) => id)

/** What is asked of openWork. `baseText`: the base as it was read before the claim. */
interface Asked {
  readonly needs: Needs
  readonly vouched: boolean
  readonly baseText?: SecretText
}

/** Reads what the claimed rotation needs and makes its context, whose deadline is before the end of the lease. internal without a base version. */
export async function openWork(
  tools: Tools,
  setup: Known,
  state: SecretState,
  claim: Claim,
  { needs, vouched, baseText: alreadyRead }: Asked = { needs: everything, vouched: false },
): Promise<Work> {
  const { rotator, policy, settings } = setup
  const { ref, journal, pending } = state
  if (claim.base === null) throw new RotationError('internal', 'A rotation has no base version.', { next: 'Report it.' })
  const baseText = alreadyRead ?? (needs.base ? await tools.store.read(ref, claim.base) : undefined)
  const isBegun = pending !== undefined && claim.kind !== 'put'
  const base = baseText && (isBegun ? readOrNot(rotator, policy, baseText) : readBase(rotator, policy, baseText, claim.kind))
  const baseIds = base === undefined ? [] : idsOf(rotator, base)
  const retiringIds = (journal?.retiring ?? []).map(({ id }) => id)
  const context: Context<unknown> = {
    ref,
    token: claim.token,
    policy,
    deadline: claim.leaseUntil - Math.min(marginMs, tools.deps.leaseMs / 2),
    current: base,
    previous: atMostOnce(() => readPrevious(tools, rotator, policy, state, claim.base)),
    live: [...baseIds, ...retiringIds],
    env: tools.guard.env,
    publishedAt: reachedAt(setup, state),
    released: releasedIn(state),
    ...(claim.kind === 'emergency' ? { emergency: true as const } : {}),
    ...optional('stagedAt', pending?.createdAt),
    ...(needs.admin ? await adminOf(tools, setup, ref, async () => baseText) : {}),
  }
  const checkable = needs.admin || settings.admin === undefined
  // A rotation that is open from when the value could still be read goes on where the target has taken the new one: nothing else would log in.
  if (isBegun && baseText && base === undefined && !(await acceptsPending(rotator, context, tools, pending.id)))
    readBase(rotator, policy, baseText, claim.kind)
  const read = { tools, setup, rotator, claim, context, vouched, ...optional('baseText', baseText) }
  const work: Work = { ...read, checkable, loadEverything: async () => work }
  if (needs.base && checkable) return work
  const openAll = () => openWork(tools, setup, state, claim, { needs: everything, vouched })
  return { ...work, loadEverything: atMostOnce(openAll) }
}

/** A put or a rollback replaces whatever is there, even a value that somebody wrote past us and that cannot be read. bad_value for other kinds. */
export const readBase = (rotator: AnyRotator, policy: Policy, text: SecretText, kind: Claim['kind']): unknown =>
  kind === 'put' || kind === 'rollback' ? readOrNot(rotator, policy, text) : rotator.parse(text, policy)

function readOrNot(rotator: AnyRotator, policy: Policy, text: SecretText): unknown {
  try {
    return rotator.parse(text, policy)
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}

async function acceptsPending(rotator: AnyRotator, context: Context<unknown>, { store }: Tools, version: VersionId): Promise<boolean> {
  if (!rotator.traits.outside) return false
  const value = readOrNot(rotator, context.policy, await store.read(context.ref, version))
  if (value === undefined) return false
  return proofOf(rotator, context.policy) === 'answer' || rotator.accepted(context, value) // what is proven by its answer is set, whatever was there
}

async function readPrevious(
  tools: Tools,
  rotator: AnyRotator,
  policy: Policy,
  state: SecretState,
  base: VersionId | null,
): Promise<unknown> {
  const { previous } = state
  if (previous === undefined || previous.id === base) return undefined
  try {
    return rotator.parse(await tools.store.read(state.ref, previous.id), policy)
  } catch (cause) {
    // It is gone, or was never a credential of this kind.
    if (codeOf(cause) === 'not_found' || codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}
