import { newVersionId } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import type { Journal, SecretState, Staged, VersionInfo } from '../../core/ports/store.js'
import type { Policy, SecretRef, Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Profile } from './profiles.js'

/** A published version; `by`: the token that made it, which the store itself may not know. */
export type Kept = VersionInfo & {
  readonly value: SecretText
  readonly number: number
  readonly by?: Token
  /** Where ids have no order: what its writer says was current. */
  readonly base?: VersionId | null
}

/** A write for consumers that was sent. */
export interface Sent {
  readonly value: SecretText
  readonly by: Token
  readonly base: VersionId | null
}

/** One secret in the memory store. */
export interface Cell {
  readonly ref: SecretRef
  /** In the order in which they were written. */
  readonly versions: Map<VersionId, Kept>
  readonly staged: Map<VersionId, Staged & { readonly value?: SecretText }>
  current: VersionId | null
  previous: VersionId | null
  publishedAt: number
  journal: Journal | null
  /** Counts every write to the journal, including the one that loses it. */
  journalRev: number
  /** The number of the last version, also of one that is gone. */
  numbers: number
  /** The service's pending mark. */
  label?: Token
  /** The staging place is gone. */
  placeLost?: true
  /** What was in it, where it can be had back. */
  readonly deleted: Map<VersionId, Staged & { readonly value?: SecretText }>
  /** Whose lease the platform keeps. */
  lease?: string
  /** The next write of a value meets one of somebody else, and is refused. */
  overlaps?: true
  /** What listings show from now on, whatever is written: they lag. */
  lag?: { readonly versions: readonly Kept[]; readonly staged: readonly VersionId[] }
  /** What was sent, the last one last: it may still arrive, once more or late. */
  readonly sent: Sent[]
  /** What names the current version for who reads by a name. */
  alias?: VersionId
  policy: Policy
}

/** Makes a secret with its first version. */
export function newCell(ref: SecretRef, profile: Profile, env: Env, value: SecretText, policy: Policy): Cell {
  const cell: Cell = {
    ref,
    versions: new Map(),
    staged: new Map(),
    deleted: new Map(),
    current: null,
    previous: null,
    publishedAt: 0,
    journal: null,
    journalRev: 0,
    numbers: 0,
    sent: [],
    policy,
  }
  addVersion(cell, profile, env, value)
  return cell
}

/** Who writes a version, if a rotation does, and under which id where the staged version itself becomes current. */
export type Writer = { readonly by?: Token; readonly base?: VersionId | null; readonly id?: VersionId }

/** Writes one more version, which is what consumers read from then on. */
export function addVersion(cell: Cell, profile: Profile, env: Env, value: SecretText, { by, base, id }: Writer = {}): VersionInfo {
  const number = ++cell.numbers
  const info = {
    id: id ?? newId(profile, env, number),
    createdAt: env.now(),
    hasValue: true,
    ...(profile.bare ? {} : optional('ours', by)),
  }
  cell.versions.set(info.id, { ...info, value, number, ...optional('by', by), ...(profile.unordered ? optional('base', base) : {}) })
  cell.previous = cell.current
  cell.current = info.id
  cell.publishedAt = env.now()
  return info
}

function newId({ bare, unordered }: Profile, env: Env, number: number): VersionId {
  if (bare) return `${number}` as VersionId
  return unordered ? (Buffer.from(env.random(16)).toString('hex') as VersionId) : newVersionId(env.now(), env.random(6))
}

/** The revision, which changes with every write to the journal. With `blindAbsence` one absent journal looks like any other. */
export const revOf = (cell: Cell, profile: Profile): string =>
  cell.journal === null && profile.blindAbsence ? 'absent' : `${cell.journal === null ? 'absent' : 'rev'}-${cell.journalRev}`

/** What anybody may see of a version. */
export const publicInfo = ({ value: _, number: __, by: ___, base: ____, ...info }: Kept): VersionInfo => info
const stagedInfo = ({ value: _, ...info }: Staged & { readonly value?: SecretText }): Staged => info

/** Shows a secret without its values, as a store whose publications have a condition would. */
export function fencedState(cell: Cell, profile: Profile): SecretState {
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
    ...seenOf(cell, profile),
    ...optional('current', current && publicInfo(current)),
    ...optional('previous', previous && publicInfo(previous)),
    publishedAt: cell.publishedAt,
    ...optional('pending', pending && stagedInfo(pending)),
    loose: profile.serviceDriven ? [] : staged.filter((one) => one !== pending).map(stagedInfo),
  }
}

/** What is seen of it at one look, besides its versions. */
export const seenOf = (cell: Cell, profile: Profile) => ({
  ref: cell.ref,
  drivenBy: profile.serviceDriven ? ('service' as const) : ('engine' as const),
  policy: cell.policy,
  journal: cell.journal,
  rev: revOf(cell, profile),
  ...(profile.notifies ? { native: { does: 'notifies' as const, replicas: [] } } : {}),
})
