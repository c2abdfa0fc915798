import { assertClaim } from '../claims.js'
import { codeOf, RotationError } from '../errors.js'
import type { Claim, Journal, StagedValue, VersionInfo } from '../ports/store.js'
import type { SecretRef, VersionId } from '../ports/words.js'
import type { SecretText } from '../secret-text.js'
import { foreignWriteError, placeLostError } from './errors.js'
import { currentOf, type Followers, followersOf, type Line, notedNumbers, numbersOf } from './line.js'
import { type Change, closed, condemned, intended, named, published, valueGoneError } from './notes.js'
import { isSameWrite, type StagedCopy } from './view.js'

/** The calls of a store without a condition: of each method, one call to the platform. Only `note` is conditional. */
export interface UnfencedCalls {
  readonly ref: SecretRef
  /** Epoch milliseconds. */
  now(): number
  /** The published versions, as this call sees them. */
  line(): Promise<Line>
  /** lost: the staging place, which has the journal, is gone. */
  journal(): Promise<Journal | null | 'lost'>
  /** The error of a write whose journal is gone, where the next claim makes it again. Absent: it is gone with the staging place, and a person has to. */
  lostError?(): RotationError
  /** The journal as this process read or wrote it last, without a call. Nothing but a conditional write may rest on it. Absent: it keeps none. */
  lastJournal?(): Journal | null | undefined
  /** What is staged under the claim's token, as a listing shows it. */
  stagedOf(claim: Claim): Promise<readonly StagedCopy[]>
  /** A staged value by its id; undefined where it is gone. */
  valueOf(version: VersionId): Promise<SecretText | undefined>
  /** What a published version of the value would have as its mark. */
  markOf(value: SecretText, claim: Claim): string
  /** Compare-and-set of the journal on what `change` is given. conflict. False where the staging place is gone. */
  note(what: string, change: Change): Promise<boolean>
  /** Keeps a value with {token, base} in the staging place, without naming it. Not after the lease, where the store can see to it: conflict. */
  keep(value: SecretText, claim: Claim): Promise<VersionId>
  /** What this process has kept last under the claim: a note that failed is made again for the same copy. Absent: it does not remember. */
  lastKept?(claim: Claim): VersionId | undefined
  /**
   * Where versions have no order: the ids of all that is there, listed before a look that still shows base as the newest. undefined where base is not the
   * newest any more. It counts for the lines of this object, too, where the journal cannot keep it.
   */
  before?(): Promise<readonly VersionId[] | undefined>
  /** Right before the last look and the add: makes sure, by a call, that nobody has taken the claim's lease away. Absent for a platform that has none. conflict. */
  fence?(): Promise<void>
  /** Adds a version for consumers. The platform may do it twice, or later. */
  add(value: SecretText, claim: Claim): Promise<void>
  /**
   * Moves what names the current version, where the platform has such a thing. Where all readers go by it, it moves only from base, and answers what it
   * names instead if somebody else has moved it.
   */
  point(number: number): Promise<number | undefined>
  /** Makes a staged value unreadable; no-op where it is gone. */
  drop(version: VersionId, what: 'publish.drop' | 'discard.value'): Promise<void>
}

async function noteOrStop(calls: UnfencedCalls, what: string, change: Change): Promise<void> {
  if (!(await calls.note(what, change))) throw lostError(calls)
}

const lostError = (calls: UnfencedCalls): RotationError => calls.lostError?.() ?? placeLostError(calls.ref)

/** The journal as this process left it, where the claim is in it; undefined where it has to be read. What it decides is written on condition of it. */
function ownJournal(calls: UnfencedCalls, { token, holder, attempt }: Claim): Journal | undefined {
  const last = calls.lastJournal?.() ?? undefined
  const rotation = last?.rotation
  return rotation?.token === token && rotation.holder === holder && rotation.attempt === attempt ? last : undefined
}

async function journalOf(calls: UnfencedCalls): Promise<Journal | null> {
  const journal = await calls.journal()
  if (journal === 'lost') throw lostError(calls)
  return journal
}

/** Keeps a value, then names it. The stored one wins where the token has one already. conflict, stuck. */
export async function stageUnfenced(calls: UnfencedCalls, claim: Claim, value: SecretText): Promise<StagedValue> {
  const journal = ownJournal(calls, claim) ?? (await journalOf(calls))
  const { staged } = assertClaim(claim, journal)
  const id = staged ?? (await unnamed(calls, claim, journal))
  const stored = id === undefined ? undefined : await calls.valueOf(id)
  const version = id === undefined || stored === undefined ? await calls.keep(value, claim) : id
  await noteOrStop(calls, 'stage.name', named(claim, version))
  return { version, stored: stored === undefined || stored.equals(value) ? 'supplied' : 'other' }
}

/** A value that this process, or an earlier holder of this token, kept and did not name. */
async function unnamed(calls: UnfencedCalls, claim: Claim, journal: Journal | null): Promise<VersionId | undefined> {
  const isGivenUp = (id: VersionId): boolean => journal?.condemned?.includes(id) === true
  const own = calls.lastKept?.(claim)
  if (own !== undefined && !isGivenUp(own)) return own
  if (claim.attempt === 1) return undefined
  const there = await calls.stagedOf(claim)
  return there.find(({ id }) => !isGivenUp(id))?.id
}

/** Gives a value up in the journal, under the claim, and only then removes it: a process that slept removes nothing that another one has set since. */
export async function discardUnfenced(calls: UnfencedCalls, claim: Claim, version: VersionId): Promise<'again'> {
  const journal = await journalOf(calls)
  const current = await currentId(await calls.line(), journal)
  const staged = await calls.stagedOf(claim)
  const it = staged.find(({ id }) => id === version)
  const copies = staged.filter((one) => one.id !== version && it !== undefined && isSameWrite(one, it)).map(({ id }) => id)
  await noteOrStop(calls, 'discard.journal', condemned(claim, version, claim.base === current, copies))
  for (const id of [version, ...copies]) await calls.drop(id, 'discard.value')
  return 'again'
}

async function currentId(line: Line, journal: Journal | null, more: readonly number[] = []): Promise<VersionId | undefined> {
  const noted = [...notedNumbers(line, journal), ...more]
  const number = await currentOf(line, await numbersOf(line, noted), noted)
  return number === undefined ? undefined : (await line.infoOf(number)).id
}

/**
 * Intent, a look at what follows base, an add, and another look. What follows base decides: where any of it is ours, the oldest of ours is published,
 * and contested where somebody else wrote, too; where none is ours, nothing is written over it. `tested`: the value that this process has just tested.
 * It is published from there if the staging place is gone, because the target may accept nothing else; what cannot be noted then is left to recover.
 */
export async function publishUnfenced(calls: UnfencedCalls, claim: Claim, version: VersionId, tested?: SecretText): Promise<VersionInfo> {
  const own = ownJournal(calls, claim)
  // Nothing but a look precedes the add where the intent stands: then nobody may have taken the claim over.
  const isUnsent = own?.rotation?.intent !== true && own?.rotation?.published === undefined
  const kept = isUnsent && own ? await calls.valueOf(version) : undefined
  const journal = kept ? own : await calls.journal()
  const before = journal === 'lost' ? undefined : journal?.rotation
  if (before?.token === claim.token && before.published !== undefined) return endOf(calls, version, before.published)
  if (journal !== 'lost') assertClaim(claim, journal ?? null)
  const isNamed = journal === 'lost' || before?.staged === version
  const value = kept ?? (await calls.valueOf(version)) ?? (isNamed ? tested : undefined)
  if (value === undefined) throw journal === 'lost' ? lostError(calls) : valueGoneError()
  let isNoted = true
  if (before?.intent !== true) {
    const listed = await calls.before?.()
    isNoted = journal !== 'lost' && (await calls.note('publish.intent', intended(claim, listed)))
    if (!isNoted && tested === undefined) throw lostError(calls)
  }
  // Before the look, so that nothing but a look is between that and the add. Where the journal is gone the lease is, too.
  if (isNoted) await fenced(calls, tested !== undefined)
  const found = await added(calls, claim, value)
  return noted(calls, claim, version, found)
}

/** Of a publication that was noted before: its leftover goes. */
async function endOf(calls: UnfencedCalls, version: VersionId, id: VersionId): Promise<VersionInfo> {
  const line = await calls.line()
  const number = line.numberOf(id)
  if (number === undefined) throw valueGoneError()
  await calls.drop(version, 'publish.drop')
  return line.infoOf(number)
}

type Added = Followers & { readonly line: Line; readonly ours: number }

/** `isTested`: this process has just tested the value. Then a lease that ended only because the journal is gone, which nobody has made again, stops nothing. */
async function fenced(calls: UnfencedCalls, isTested: boolean): Promise<void> {
  try {
    await calls.fence?.()
  } catch (cause) {
    if (!isTested || codeOf(cause) !== 'conflict' || (await calls.journal()) !== 'lost') throw cause
  }
}

/** Adds the value, unless it was added before. foreign_write where somebody else wrote first; ambiguous where nobody can see it. */
async function added(calls: UnfencedCalls, claim: Claim, value: SecretText): Promise<Added> {
  const mark = calls.markOf(value, claim)
  const walk = async () => {
    const line = await calls.line()
    return { line, ...(await followersOf(line, baseOf(line, claim), mark)) }
  }
  let found = await walk()
  if (found.ours === undefined) {
    if (found.others) await closeFor(calls, claim, found.line)
    assertLease(calls, claim)
    await calls.add(value, claim)
    found = await walk()
  }
  const { ours } = found
  if (ours !== undefined) return { ...found, ours }
  throw new RotationError('ambiguous', `The version that was added to ${calls.ref.shown} cannot be seen.`, {
    next: 'The state is read again.',
  })
}

/** How long a write may take. It is not sent later: nothing takes back what arrives after the lease. */
export const addMsMax = 10_000

/** Stands before what no claim is a condition of. conflict. */
function assertLease(calls: UnfencedCalls, { leaseUntil }: Claim): void {
  if (calls.now() < leaseUntil - addMsMax) return
  throw new RotationError('conflict', `The lease is almost over: nothing more is written to ${calls.ref.shown}.`, {
    next: 'The state is read again; the next attempt goes on from here.',
  })
}

const baseOf = (line: Line, { base }: Claim): number => (base === null ? 0 : (line.numberOf(base) ?? 0))

async function closeFor(calls: UnfencedCalls, claim: Claim, line: Line): Promise<never> {
  const journal = await calls.journal()
  const theirs = await currentId(line, journal === 'lost' ? null : journal)
  await calls.note('publish.close', closed(claim, theirs))
  throw foreignWriteError(calls.ref, 'the new one is not published')
}

/** Moves what points at current, notes the publication and removes the staged copy. foreign_write where somebody else wrote, too. */
async function noted(calls: UnfencedCalls, claim: Claim, version: VersionId, found: Added): Promise<VersionInfo> {
  const { line, ours, others, endsWithOurs } = found
  const info = { ...(await line.infoOf(ours)), ours: claim.token }
  if (endsWithOurs) assertLease(calls, claim)
  const elsewhere = endsWithOurs ? await calls.point(ours) : undefined
  if (elsewhere !== undefined) await closeFor(calls, claim, { ...line, pointed: elsewhere })
  const journal = (others ? undefined : ownJournal(calls, claim)) ?? (await calls.journal())
  const before = journal === 'lost' ? null : journal
  const unproven = others ? await currentId(line, before, [ours]) : undefined
  const removed = before?.condemned ?? []
  for (const id of removed) await calls.drop(id, 'publish.drop')
  await calls.note('publish.journal', published(claim, info.id, unproven, removed))
  await calls.drop(version, 'publish.drop')
  if (others) throw foreignWriteError(calls.ref, 'both versions are kept')
  return info
}
