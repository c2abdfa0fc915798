import { optional } from '../optional.js'
import type { Journal, NotePatch } from '../ports/store.js'
import type { VersionId } from '../ports/words.js'

/** What the last rotation published, as long as no other version was announced after it. */
export function lastPublished(journal: Journal | null): VersionId | undefined {
  const rotation = journal?.rotation
  return rotation?.overtaken ? undefined : rotation?.published
}

/** The last publication that the journal knows: ours, or what was announced after it. undefined: it knows none. */
export const lastKnown = (journal: Journal | null): VersionId | undefined => lastPublished(journal) ?? journal?.announced ?? undefined

/** A journal with a note. It keeps whether what is announced came after what a rotation published. */
export function withNote(journal: Journal | null, { code, ...patch }: NotePatch): Journal {
  const { code: before, rotation, ...rest } = journal ?? { retiring: [] }
  const { announced } = patch
  const isOvertaken = rotation?.published !== undefined && announced !== undefined && announced !== rotation.published
  const after = rotation && (isOvertaken ? { ...rotation, overtaken: true as const } : rotation)
  const kept = code === null ? {} : optional('code', code ?? before)
  return { ...optional('rotation', after), ...rest, ...patch, ...kept }
}
