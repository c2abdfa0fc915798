import { optional } from '../optional.js'
import type { Journal, SecretView, Staged, VersionInfo } from '../ports/store.js'
import type { Token } from '../ports/words.js'
import { copiesOlder, currentOf, type Line, notedNumbers, numbersOf } from './line.js'
import { lastKnown, lastPublished } from './pointer.js'

/** A staged value that can be read, and the mark that a published version of it has. */
export interface StagedCopy extends Staged {
  readonly mark: string
  /** A digest of the value, where a look knows it; it stays in the process. */
  readonly payload?: string
}

/** Whether one write was carried out twice: the same value under the same token. */
export const isSameWrite = (one: StagedCopy, other: StagedCopy): boolean =>
  one.token === other.token && one.payload !== undefined && one.payload === other.payload

/** What a store without a condition reads of a secret. */
export interface Readings {
  readonly line: Line
  readonly journal: Journal | null
  /** What is listed and the one that the journal names, each read by its number: what is listed may be gone, and what is named may not be listed yet. */
  readonly staged: readonly StagedCopy[]
}

/** The part of a state that follows from the readings. */
export type UnfencedView = Pick<SecretView, 'publishedAt' | 'pending' | 'loose'> &
  Partial<Pick<SecretView, 'current' | 'previous' | 'pointer' | 'undated'>>

/** Says what is current, whose it is, and what is staged. `publishedAt` is when current was written, or, where a pointer names it, when that was seen. */
export async function viewOf({ line, journal, staged }: Readings): Promise<UnfencedView> {
  const noted = notedNumbers(line, journal)
  const numbers = await numbersOf(line, noted)
  const number = await currentOf(line, numbers, noted)
  const shown = await shownOf({ line, journal, staged }, numbers)
  const pending = shown.find(({ id }) => id === namedBy(journal))
  const values = { ...optional('pending', pending), loose: shown.filter((one) => one !== pending) }
  if (number === undefined) return { publishedAt: 0, ...bare(values) }
  const before = await previousOf({ line, journal }, numbers, number)
  const info = await line.infoOf(number)
  const token = await tokenOf({ line, journal, staged }, info, number)
  const current = { ...info, ...optional('ours', token) }
  const isCopy = !isExplained({ current, journal, ...values }) && (await copiesOlder(line, numbers, number))
  return {
    current: { ...current, ...(isCopy ? { copiesOlder: true } : {}) },
    ...optional('previous', before === undefined ? undefined : await line.infoOf(before)),
    ...publicationOf(line, journal, info),
    ...bare(values),
  }
}

/**
 * What was current before: the version before in the line, or, where a pointer names what is current, what the platform or the journal says was current,
 * because a version in between may never have been.
 */
async function previousOf(
  { line, journal }: Pick<Readings, 'line' | 'journal'>,
  numbers: readonly number[],
  current: number,
): Promise<number | undefined> {
  if (line.pointed === undefined) return numbers.filter((one) => one < current).at(-1)
  const { base, published } = journal?.rotation ?? {}
  const noted = [base, published, journal?.announced].map((id) => (id === undefined || id === null ? undefined : line.numberOf(id)))
  for (const one of [line.pointedBefore, ...noted])
    if (one !== undefined && one !== current && (line.listed.includes(one) || typeof (await line.look(one)) !== 'string')) return one
  return undefined
}

/**
 * When current became current: when it was written. Where a pointer names it, and our publication is not the last one, nothing says when: somebody who
 * moves a pointer makes another publication, even of an old version. It comes after what was announced last, and counts from when it was noted.
 */
function publicationOf(
  { pointed }: Line,
  journal: Journal | null,
  { id, createdAt }: VersionInfo,
): Pick<UnfencedView, 'publishedAt' | 'pointer' | 'undated'> {
  if (pointed === undefined) return { publishedAt: createdAt }
  const pointer = lastKnown(journal) === id ? 'noted' : 'unconfirmed'
  const { sequence: last, reckoned } = journal ?? {}
  const at = last === undefined ? createdAt : Math.max(createdAt, last.version === id ? last.value : last.value + 1)
  const noted = reckoned?.version === id && reckoned.sequence === at ? reckoned.at : undefined
  const isUndated = lastPublished(journal) !== id && (noted !== undefined || journal?.announced !== id)
  const undated = isUndated ? { undated: { at, isNoted: noted !== undefined } } : {}
  return { publishedAt: (isUndated ? noted : undefined) ?? at, pointer, ...undated }
}

function bare({ pending, loose }: { readonly pending?: StagedCopy; readonly loose: readonly StagedCopy[] }) {
  const withoutMark = ({ mark: _, payload: __, ...info }: StagedCopy): Staged => info
  return { ...optional('pending', pending && withoutMark(pending)), loose: loose.map(withoutMark) }
}

function namedBy(journal: Journal | null) {
  const rotation = journal?.rotation
  return rotation?.published === undefined ? rotation?.staged : undefined
}

/** Whether it is of the rotation that is open, and that has not said yet that it will publish: a version like it was written by somebody else. */
function isUnsent(journal: Journal | null, token: Token): boolean {
  const rotation = journal?.rotation
  return rotation?.token === token && rotation.published === undefined && rotation.intent !== true
}

/** Whose current is: the journal says it, or a staged value of an older base is the same. */
async function tokenOf({ line, journal, staged }: Readings, { id }: VersionInfo, number: number): Promise<Token | undefined> {
  const rotation = journal?.rotation
  if (rotation?.published === id) return rotation.token
  const older = staged.filter(({ base, token }) => baseNumber(line, base) < number && !isUnsent(journal, token))
  if (older.length === 0) return undefined
  const found = await line.look(number)
  return typeof found === 'string' ? undefined : older.find(({ mark }) => mark === found.mark)?.token
}

const baseNumber = ({ numberOf }: Line, base: Staged['base']): number => (base === null ? 0 : (numberOf(base) ?? 0))

/**
 * The staged values that are still staged. What was published is not shown, nor what was given up. While the intent stands, its value is pending until
 * the publication is noted, even where the write has gone out. Of a value that was kept twice one is shown, and that is the named one if there is one.
 */
async function shownOf(readings: Readings, numbers: readonly number[]): Promise<readonly StagedCopy[]> {
  const { journal, staged } = readings
  const rotation = journal?.rotation
  const done = rotation?.published === undefined ? undefined : rotation.token
  const shown: StagedCopy[] = []
  const name = namedBy(journal)
  for (const one of [...staged].sort((a, b) => Number(b.id === name) - Number(a.id === name))) {
    if (shown.some((other) => isSameWrite(one, other))) continue
    if (one.token === done || journal?.condemned?.includes(one.id)) continue
    const isIntended = rotation?.intent === true && one.id === name
    if (isIntended || isUnsent(journal, one.token) || !(await isPublished(readings, numbers, one))) shown.push(one)
  }
  return shown
}

/** Whether a version that is younger than its base is like it. */
export async function isPublished(
  { line }: Pick<Readings, 'line'>,
  numbers: readonly number[],
  { base, mark }: StagedCopy,
): Promise<boolean> {
  for (const number of numbers.filter((one) => one > baseNumber(line, base))) {
    const found = await line.look(number)
    if (typeof found !== 'string' && found.mark === mark) return true
  }
  return false
}

/**
 * Whether it is known how current came to be current: it is the last that we published, or it was announced. A rotation that has a value on it may have set that
 * already, so that a login with current would prove nothing.
 */
export function isExplained({ current, journal, pending, loose }: Pick<SecretView, 'current' | 'journal' | 'pending' | 'loose'>): boolean {
  const known = [lastPublished(journal), journal?.announced]
  return current === undefined || known.includes(current.id) || [pending, ...loose].some((staged) => staged?.base === current.id)
}
