import type { Journal, VersionInfo } from '../ports/store.js'
import type { VersionId } from '../ports/words.js'

/**
 * What has a number. `mark` tells whether two versions are copies of one write: a digest of the payload, or the token that is kept with it. It stays in
 * the process. gone: it was there, and cannot be read any more · none: no version has the number yet.
 */
export type Found = { readonly mark: string } | 'gone' | 'none'

/** The published versions of one secret in the order of their numbers, in a store whose writes have no condition. */
export interface Line {
  /** The numbers that a listing shows. It may be hours old. */
  readonly listed: readonly number[]
  /** By number, which is never stale. It may cost a call for each number that was not asked before. */
  look(number: number): Promise<Found>
  /** undefined for an id that is not of this line. */
  numberOf(version: VersionId): number | undefined
  infoOf(number: number): Promise<VersionInfo>
  /** Whether somebody else wrote a version that cannot be read. Absent where nothing tells whose such a version is. */
  isHiddenOfOthers?(number: number): boolean
  /**
   * The number that the platform's pointer names, for a secret whose readers all go by it. It is what is current, whatever was added since. Absent:
   * readers take the newest.
   */
  readonly pointed?: number
  /** The number that the platform's pointer of the previous one names, beside `pointed`. */
  readonly pointedBefore?: number
}

const markOf = (found: Found): string | undefined => (typeof found === 'string' ? undefined : found.mark)

/**
 * The numbers of what can be read, oldest first: those of the listing, those of `known` that are there, and what was written since, asked by number.
 * What was added behind the version that a pointer names is read by nobody.
 */
export async function numbersOf(line: Line, known: readonly number[]): Promise<readonly number[]> {
  const { pointed } = line
  if (pointed !== undefined) return [...line.listed.filter((number) => number < pointed).sort((a, b) => a - b), pointed]
  const numbers = new Set(line.listed)
  for (const number of known) if (!numbers.has(number) && markOf(await line.look(number)) !== undefined) numbers.add(number)
  for (let next = Math.max(0, ...numbers) + 1; ; next++) {
    const found = await line.look(next)
    if (found === 'none') break
    if (found !== 'gone') numbers.add(next)
  }
  return [...numbers].sort((a, b) => a - b)
}

/** The numbers that the journal knows. What is current is never older than any of them. */
export function notedNumbers({ numberOf }: Pick<Line, 'numberOf'>, journal: Journal | null): readonly number[] {
  const rotation = journal?.rotation
  const noted = [rotation?.published, rotation?.base, journal?.announced]
  return noted.flatMap((id) => (id === undefined || id === null ? [] : (numberOf(id) ?? [])))
}

/**
 * The oldest of the newest run: of the versions with one mark whose numbers follow each other without a gap. An add that was sent twice, or came late,
 * makes no second publication. It is never older than what the journal knows. undefined for a line without versions.
 */
export async function currentOf(line: Line, numbers: readonly number[], noted: readonly number[]): Promise<number | undefined> {
  const newest = numbers.at(-1)
  if (newest === undefined || line.pointed !== undefined) return newest
  const floor = Math.max(1, ...noted.filter((number) => number <= newest))
  let current = newest
  while (current > floor && (await isCopy(line, current, current - 1))) current--
  return current
}

/** Whether both can be read and have one mark. */
async function isCopy(line: Line, number: number, other: number): Promise<boolean> {
  const mark = markOf(await line.look(number))
  return mark !== undefined && mark === markOf(await line.look(other))
}

const olderMax = 20

/** Whether an older version than current has its mark: a late add of an older rotation, or somebody who went back. It looks at the newest twenty. */
export async function copiesOlder(line: Line, numbers: readonly number[], current: number): Promise<boolean> {
  const older = numbers.filter((number) => number < current).slice(-olderMax)
  for (const number of older.reverse()) if (await isCopy(line, current, number)) return true
  return false
}

/** The run around a number: it, and its copies directly before and after it. */
export async function runOf(line: Line, number: number): Promise<readonly number[]> {
  const run = [number]
  for (let next = number + 1; await isCopy(line, number, next); next++) run.push(next)
  for (let before = number - 1; before > 0 && (await isCopy(line, number, before)); before--) run.unshift(before)
  return run
}

/** What was written after base. */
export interface Followers {
  /** The oldest with the mark of the staged value. */
  readonly ours?: number
  /** Somebody else wrote, too. */
  readonly others: boolean
  /** Whether the newest of them has the mark of the staged value. */
  readonly endsWithOurs: boolean
}

/**
 * Walks all that follows base, by number. Where a pointer names what is current, what others added there is nobody's publication. Copies of base directly behind it are base: an add of it came late. They are not where the staged value
 * has the same mark.
 */
export async function followersOf(line: Line, base: number, staged: string): Promise<Followers> {
  const last = Math.max(base, ...line.listed)
  let isBase = true
  let found: Followers = { others: false, endsWithOurs: false }
  for (let number = base + 1; ; number++) {
    const there = await line.look(number)
    if (there === 'none' && number > last) return found
    const mark = markOf(there)
    isBase &&= mark !== undefined && mark !== staged && mark === markOf(await line.look(base))
    if (mark === undefined && line.isHiddenOfOthers?.(number)) found = { ...found, others: true, endsWithOurs: false }
    if (mark === undefined || isBase) continue
    const endsWithOurs = mark === staged
    if (!endsWithOurs && line.pointed !== undefined) continue
    found = endsWithOurs ? { ours: number, ...found, endsWithOurs } : { ...found, others: true, endsWithOurs }
  }
}
