import { RotationError } from '../../core/errors.js'
import { kindOfToken } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Claim, ClaimWish, SecretState, StagedValue } from '../../core/ports/store.js'
import type { SecretRef, Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Api } from './api.js'
import type { Description } from './description.js'
import { classify, isExists, isMoved, spentError } from './errors.js'
import { holderOf, label, retiringLabels } from './labels.js'
import { changedError, type Reader, type Warm } from './reader.js'
import { notesOf, writeNotes } from './tags.js'
import { substituteToken } from './tokens.js'

/** What a write works with; `now` in epoch milliseconds. */
export interface WriterParts {
  readonly api: Api
  readonly reader: Reader
  readonly warm: Warm
  readonly now: () => number
}
const idOf = (token: Token): VersionId => token as string as VersionId

/** Whether the service's token, under its own mark, gives the right to act: the service serialises the steps of its own rotations. */
function isServices({ drivenBy, pending }: SecretState, { kind, token }: Pick<ClaimWish, 'kind' | 'token'>): boolean {
  if (drivenBy !== 'service' || kind !== 'rotate') return false
  return pending?.token === token && kindOfToken(token) === undefined
}

/**
 * Claims without a write: a label that only one version can hold fences what follows. Our own engine stages under its own label, and moves AWSPENDING
 * only where nobody, or a placeholder, holds it. Two processes with one token keep one value.
 */
export async function claim({ api, now }: WriterParts, state: SecretState, wish: ClaimWish): Promise<Claim> {
  const { ref } = state
  const base = state.current?.id ?? null
  const drivenBy = isServices(state, wish) ? 'service' : 'engine'
  const who = { token: wish.token, kind: wish.kind, holder: wish.holder, attempt: 0 }
  const given: Claim = { ref, ...who, base, leaseUntil: now() + wish.leaseMs, drivenBy, ...optional('keeps', keptOf(state)) }
  if (drivenBy === 'service' || wish.leaseMs === 0) return given
  if (state.drivenBy === 'service' && wish.kind === 'rotate' && state.journal?.rotation === undefined)
    throw spentError(ref, 'The service did not give this token')
  const description = await api.describe(ref.key)
  if (description.foreign !== undefined)
    throw new RotationError('denied', `${ref.shown} ${description.foreign}.`, { next: 'Rotate it there.' })
  if ((description.current ?? null) !== base) throw changedError(ref)
  if (wish.replaces !== undefined && wish.replaces !== wish.token) await dropMark(api, description, idOf(wish.replaces))
  if (wish.continueWith !== undefined) await nameAsPending(api, ref, wish.continueWith, undefined)
  const open = description.stages.get(idOf(wish.token))
  if (open !== undefined || wish.continueWith !== undefined) {
    if (open?.includes(label.current)) throw spentError(ref, 'This token has published its value already')
    return given
  }
  return { ...given, token: await substituteToken(api, ref, wish) }
}

/** The version that is to be retired and loses AWSPREVIOUS by the publication. It needs another label: without one the service may drop it. */
const keptOf = ({ previous, journal }: SecretState): VersionId | undefined =>
  (journal?.retiring ?? []).some(({ version }) => version === previous?.id) ? previous?.id : undefined

async function dropMark(api: Api, { ref, stages }: Description, version: VersionId): Promise<void> {
  if (stages.get(version)?.includes(label.pending)) await api.moveStage(ref.key, label.pending, { from: version })
}

/** Marks a version as pending. Fails where another version holds the mark. */
async function nameAsPending(api: Api, ref: SecretRef, to: VersionId, from: VersionId | undefined): Promise<void> {
  try {
    await api.moveStage(ref.key, label.pending, { to, ...optional('from', from) })
  } catch (cause) {
    throw isMoved(cause) ? changedError(ref) : cause
  }
}

/**
 * Keeps a value under the token of the claim and marks it as pending. May be repeated: a value that the token keeps already wins. conflict,
 * token_spent.
 */
export async function stage(parts: WriterParts, claimed: Claim, value: SecretText): Promise<StagedValue> {
  const { api, warm, now } = parts
  const { ref, token } = claimed
  const version = idOf(token)
  const byService = claimed.drivenBy === 'service'
  try {
    await api.put(ref.key, token, value, [byService ? label.pending : label.staged])
  } catch (cause) {
    if (!isExists(cause)) throw cause
    return stagedBefore(parts, claimed, value)
  }
  warm.fill(ref, version, now())
  if (!byService) await name(parts, ref, version)
  return { version, stored: 'supplied' }
}

/** Where the token keeps another value, that one wins, unless it was given up or published. */
async function stagedBefore(parts: WriterParts, { ref, token, drivenBy }: Claim, value: SecretText): Promise<StagedValue> {
  const version = idOf(token)
  const there = await parts.reader.value(ref, version)
  if (there.stages.includes(label.current)) throw changedError(ref)
  if (!there.stages.includes(label.pending) && !there.stages.includes(label.staged))
    throw spentError(ref, 'This token holds a value that was given up')
  if (drivenBy === 'engine') await name(parts, ref, version)
  return { version, stored: there.text.equals(value) ? 'supplied' : 'other' }
}

/** Marks a version as pending. It takes over the mark of a placeholder that the service left, and not the mark of another value. */
async function name({ api, reader }: WriterParts, ref: SecretRef, version: VersionId): Promise<void> {
  const description = await api.describe(ref.key)
  const holder = description.pending
  if (holder === version) return
  const isLeftover = holder === description.current // a mark that was left behind means nothing
  if (holder !== undefined && !isLeftover && (await reader.hasValue(ref, holder))) throw changedError(ref)
  await nameAsPending(api, ref, version, holder)
}

/**
 * Publishes by moving one label from base, which fences it. What comes before and after may be repeated. Our own engine removes its mark; the service
 * removes its own.
 */
export async function publish(parts: WriterParts, claimed: Claim, version: VersionId): Promise<void> {
  const { api } = parts
  const { ref, base, keeps, drivenBy } = claimed
  const before = drivenBy === 'engine' || keeps !== undefined ? await api.describe(ref.key) : undefined
  if (before && drivenBy === 'engine' && before.current !== version) await noteLate(parts, before, version)
  if (before && keeps !== undefined) await keepRetiring(api, before, keeps)
  try {
    await api.moveStage(ref.key, label.current, { to: version, ...optional('from', base ?? undefined) })
  } catch (cause) {
    if (!isMoved(cause)) throw cause
    if ((await api.describe(ref.key)).current !== version) throw changedError(ref)
  }
  if (before && drivenBy === 'engine')
    for (const one of [label.pending, label.staged]) if (before.stages.get(version)?.includes(one)) await takeAway(api, ref, one, version)
}

const lateMs = 60_000
/**
 * The service says when a version was made, and not when it became current. A value that was staged more than a minute ago gets a note of when it was
 * about to be published; announce times and lifetimes count from there. Where the role may not write tags, they count from the staging.
 */
async function noteLate({ api, reader, now }: WriterParts, { ref, tags }: Description, version: VersionId): Promise<void> {
  const at = now()
  if (at - (await reader.createdAt(ref, version)) <= lateMs) return
  const notes = notesOf(tags) ?? { retiring: [], seen: {} }
  try {
    await api.tag(ref.key, writeNotes({ ...notes, published: { version, at } }, tags).set)
  } catch (cause) {
    if (classify(cause) !== 'denied') throw cause
  }
}

async function keepRetiring(api: Api, { ref, stages }: Description, keeps: VersionId): Promise<void> {
  if (stages.get(keeps)?.some((name) => name.startsWith('KEYTURN_RETIRING_'))) return
  const free = retiringLabels.find((name) => holderOf(stages, name) === undefined)
  if (free !== undefined) await api.moveStage(ref.key, free, { to: keeps })
}

/** Removes labels whose entry is over, or whose tag somebody deleted. They would keep their version for ever, and block a place for the next one. */
export async function dropStrayLabels(api: Api, { ref, stages }: Description, wanted: ReadonlySet<VersionId>): Promise<void> {
  for (const name of retiringLabels) {
    const holder = holderOf(stages, name)
    if (holder !== undefined && !wanted.has(holder)) await takeAway(api, ref, name, holder)
  }
}

/** Removes a label from a version. May be repeated: a label that is gone already is not an error. */
export async function takeAway(api: Api, ref: SecretRef, name: string, from: VersionId): Promise<void> {
  try {
    await api.moveStage(ref.key, name, { from })
  } catch (cause) {
    if (!isMoved(cause)) throw cause // otherwise it is gone already
  }
}
