import { optional } from '../../core/optional.js'
import type { Claim } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import type { Line } from '../../core/unfenced/line.js'
import { type Intent, intentOf, notedIds, type Unordered, unorderedLine } from '../../core/unfenced/unordered.js'
import type { Cell, Kept } from './cell.js'

/** What a line needs besides what is listed. */
export interface More {
  /** Versions that are asked for by their ids: those are never behind. */
  readonly ids?: readonly (VersionId | null)[]
  /** What this process knows of an intent, where the journal could not keep it. */
  readonly intent?: Intent | undefined
}

const listedOf = (cell: Cell): readonly Kept[] => cell.lag?.versions ?? [...cell.versions.values()]
const newestOf = (cell: Cell): VersionId | undefined => [...cell.versions.values()].at(-1)?.id

/** The versions as a listing without an order shows them, with times of whole seconds. What is asked by id, and the newest, are never behind. */
export function shuffledLine(cell: Cell, { ids = [], intent }: More, markOf: (version: Kept) => string): Line {
  const newest = newestOf(cell)
  const asked = new Set<VersionId | null | undefined>([newest, ...notedIds(cell.journal), ...ids])
  const byId = [...cell.versions.values()].filter(({ id }) => asked.has(id))
  const versions = new Map([...listedOf(cell), ...byId].map((one) => [one.id, unorderedOf(one)]))
  return unorderedLine({
    versions: [...versions.values()],
    ...optional('newest', newest),
    ...optional('intent', intentOf(cell.journal) ?? intent),
    markOf: async ({ id }) => {
      const one = cell.versions.get(id)
      return one && markOf(one)
    },
  })
}

/** A version says itself when it was written, to the millisecond, if a rotation wrote it. */
function unorderedOf({ value: _, number: __, by: ___, createdAt, ...version }: Kept): Unordered {
  const madeAt = Math.floor(createdAt / 1000) * 1000
  return { ...version, madeAt, createdAt: version.ours === undefined ? madeAt : createdAt }
}

/** What is listed, if base is still the newest after that. */
export const beforeOf = (cell: Cell, { base }: Claim): Intent | undefined =>
  newestOf(cell) === (base ?? undefined) ? { base, before: listedOf(cell).map(({ id }) => id) } : undefined
