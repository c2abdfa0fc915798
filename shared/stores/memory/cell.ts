import { optional } from '../../core/optional.js'
import type { Journal, SecretState, Staged, VersionInfo } from '../../core/ports/store.js'
import type { Policy, SecretRef, Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Profile } from './profiles.js'

/** One secret in the memory store. */
export interface Cell {
  readonly ref: SecretRef
  /** In the order in which they were written. */
  readonly versions: Map<VersionId, VersionInfo & { readonly value: SecretText }>
  readonly staged: Map<VersionId, Staged & { readonly value?: SecretText }>
  current: VersionId | null
  previous: VersionId | null
  publishedAt: number
  journal: Journal | null
  /** Counts every write to the journal, including the one that loses it. */
  journalRev: number
  /** The service's pending mark. */
  label?: Token
  policy: Policy
}

/** The revision, which changes with every write to the journal. With `blindAbsence` one absent journal looks like any other. */
export const revOf = (cell: Cell, profile: Profile): string =>
  cell.journal === null && profile.blindAbsence ? 'absent' : `${cell.journal === null ? 'absent' : 'rev'}-${cell.journalRev}`

const publicInfo = <T extends VersionInfo & { readonly value?: SecretText }>({ value: _, ...info }: T) => info

/** Shows a secret without its values, as a store of that profile would. */
export function stateOf(cell: Cell, profile: Profile): SecretState {
  const info = (id: VersionId | null) => (id === null ? undefined : cell.versions.get(id))
  const [current, previous] = [info(cell.current), info(cell.previous)]
  const published = new Set<Token>([...cell.versions.values()].flatMap(({ ours }) => (ours === undefined ? [] : [ours])))
  const rotation = cell.journal?.rotation
  // While the intent stands its value is pending until the publication is noted, even where the write has gone out.
  const intended = rotation?.intent === true ? rotation.staged : undefined
  const staged = [...cell.staged.values()].filter(({ id, token }) => id === intended || !published.has(token))
  const named = rotation?.published === undefined ? rotation?.staged : undefined
  const pending = staged.find(({ id, token }) => (profile.serviceDriven ? token === cell.label : id === named))
  return {
    ref: cell.ref,
    ...optional('current', current && publicInfo(current)),
    ...optional('previous', previous && publicInfo(previous)),
    publishedAt: cell.publishedAt,
    ...optional('pending', pending && publicInfo(pending)),
    loose: profile.serviceDriven ? [] : staged.filter((one) => one !== pending).map(publicInfo),
    drivenBy: profile.serviceDriven ? 'service' : 'engine',
    policy: cell.policy,
    journal: cell.journal,
    rev: revOf(cell, profile),
    ...(profile.notifies ? { native: { does: 'notifies', replicas: [] } } : {}),
  }
}
