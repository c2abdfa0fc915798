import type { Journal, VersionInfo } from '../ports/store.js'
import type { VersionId } from '../ports/words.js'
import type { Found, Line } from './line.js'

/** A published version in a store whose ids have no order. */
export interface Unordered extends VersionInfo {
  /** When the platform says that it was made: whole seconds, as epoch milliseconds, so that several versions may share one. */
  readonly madeAt: number
  /** What was current before it, as its own writer says. */
  readonly base?: VersionId | null
}

/** What was listed while base was still the newest. */
export interface Intent {
  readonly base: VersionId | null
  readonly before: readonly VersionId[]
}

/** The intent of a journal, if it says what was there before. */
export function intentOf(journal: Journal | null): Intent | undefined {
  const { intent, base, before } = journal?.rotation ?? {}
  return intent === true && base !== undefined && before !== undefined ? { base, before } : undefined
}

/** What is known of the versions of one secret at one moment. */
export interface UnorderedVersions {
  /** In any order. A version that the listing does not show yet may be among them. */
  readonly versions: readonly Unordered[]
  /** What the platform answers to a read without a version; undefined where that fails. It is never old. */
  readonly newest?: VersionId
  /** While an intent stands: what was there before the write. */
  readonly intent?: Intent
  /** What tells copies of one write from others; undefined for a version that cannot be read. It may cost a call. */
  markOf(version: Unordered): Promise<string | undefined>
}

/**
 * Gives the versions the numbers that they would have, for the rules of a store whose versions have them. What was listed when the intent was noted
 * comes before all else, whatever the times say: whoever is not among them wrote later. Of the others the platform's seconds decide, then what
 * versions say of their bases. The newest is the last one.
 */
export function unorderedLine(known: UnorderedVersions): Line {
  const order = inOrder(known)
  const numbers = new Map(order.map(({ id }, index) => [id, index + 1]))
  const looked = new Map<number, Promise<Found>>()
  const look = async (number: number): Promise<Found> => {
    const version = order[number - 1]
    if (version === undefined) return 'none'
    const mark = await known.markOf(version)
    return mark === undefined ? 'gone' : { mark }
  }
  return {
    listed: order.flatMap(({ hasValue }, index) => (hasValue ? [index + 1] : [])),
    look: (number) => {
      const known = looked.get(number) ?? look(number)
      looked.set(number, known)
      return known
    },
    numberOf: (id) => numbers.get(id),
    infoOf: async (number) => infoOf(order[number - 1]),
    isHiddenOfOthers: (number) => {
      const version = order[number - 1]
      return version !== undefined && !version.hasValue && version.ours === undefined
    },
  }
}

function infoOf(version: Unordered | undefined): VersionInfo {
  if (version === undefined) throw new RangeError('A number outside of the line.')
  const { madeAt: _, base: __, ...info } = version
  return info
}

/** The ids that the journal names. The line needs each of them, even where the listing does not show it. */
export function notedIds(journal: Journal | null): readonly VersionId[] {
  const rotation = journal?.rotation
  const noted = [rotation?.base, rotation?.published, journal?.announced]
  return [...new Set(noted.filter((id) => id !== undefined && id !== null))]
}

function inOrder({ versions, newest, intent }: UnorderedVersions): readonly Unordered[] {
  const before = new Set(intent?.before)
  // Nothing follows what is still the newest, whatever a listing did not show before.
  const isOld = (id: VersionId): boolean => before.has(id) || (intent !== undefined && newest === intent.base)
  const rank = ({ id }: Unordered): number => {
    if (id === intent?.base) return 1
    if (isOld(id)) return 0
    return id === newest ? 3 : 2
  }
  return chained(versions).sort((a, b) => rank(a) - rank(b))
}

/**
 * By time; within a second each version directly follows what it says is its base. What a version of a later second names as its base was the newest when
 * that was begun, and counts as the last one of its own second: only who wrote in that second, after that look, is not told from who wrote before.
 */
function chained(versions: readonly Unordered[]): Unordered[] {
  const byTime = [...versions].sort((a, b) => a.madeAt - b.madeAt || (a.id < b.id ? -1 : 1))
  const ids = new Set(byTime.map(placeOf))
  const followers = new Map<string, Unordered[]>()
  for (const version of byTime) followers.set(baseOf(version), [...(followers.get(baseOf(version)) ?? []), version])
  const byId = new Map(byTime.map((version) => [version.id, version]))
  const baseOfLater = ({ base, madeAt }: Unordered): readonly Unordered[] => {
    const found = base ? byId.get(base) : undefined
    return found !== undefined && found.madeAt < madeAt ? [found] : []
  }
  const wasNewest = new Set(byTime.flatMap(baseOfLater))
  const isLast = (chain: readonly Unordered[]): number => Number(chain.some((version) => wasNewest.has(version)))
  const placed = new Set<Unordered>()
  const follow = (version: Unordered): readonly Unordered[] => {
    if (placed.has(version)) return []
    placed.add(version)
    const chains = (followers.get(placeOf(version)) ?? []).map(follow)
    return [version, ...chains.sort((a, b) => isLast(a) - isLast(b)).flat()]
  }
  const roots = byTime.filter((version) => !ids.has(baseOf(version)))
  // What names itself in a circle has no root: somebody else wrote that.
  const chains = [...roots, ...byTime].map(follow).filter((chain) => chain.length > 0)
  return chains.sort((a, b) => (a[0]?.madeAt ?? 0) - (b[0]?.madeAt ?? 0) || isLast(a) - isLast(b)).flat()
}
/** A version of its second, and its base if that is of the same one. */
const placeOf = ({ id, madeAt }: Unordered): string => `${madeAt} ${id}`
const baseOf = ({ base, madeAt }: Unordered): string => `${madeAt} ${base ?? ''}`
