import { optional } from '../../core/optional.js'
import type { SecretRef, SecretState, Staged, VersionInfo } from '../../core/ports/index.js'
import type { FileDocument, FileVersion } from './document.js'
import { lifeOf } from './process.js'

/** Shows a version without its value. */
export const infoOf = ({ id, createdAt, ours }: FileVersion): VersionInfo => ({ id, createdAt, hasValue: true, ...optional('ours', ours) })
const stagedOf = (version: FileVersion): Staged[] => (version.staged ? [{ ...infoOf(version), ...version.staged }] : [])

/** The state of a document for the lifecycle. The lease of a process that is known to be dead is over. */
export function stateOf(ref: SecretRef, document: FileDocument): SecretState {
  const find = (id: string | null) => document.versions.find((version) => version.id === id)
  const [current, previous] = [find(document.current), find(document.previous)]
  const rotation = document.journal?.rotation
  const named = rotation?.published === undefined ? rotation?.staged : undefined
  const staged = document.versions.flatMap(stagedOf)
  const pending = staged.find(({ id }) => id === named)
  const journal =
    document.journal && rotation && isOver(document) ? { ...document.journal, rotation: { ...rotation, leaseUntil: 0 } } : document.journal
  return {
    ref,
    ...optional('current', current && infoOf(current)),
    ...optional('previous', previous && infoOf(previous)),
    publishedAt: document.publishedAt,
    ...optional('pending', pending),
    loose: staged.filter((one) => one !== pending),
    drivenBy: 'engine',
    policy: document.policy,
    journal,
    rev: String(document.rev),
  }
}

/** Whether the process with the claim is known to be dead; false where nobody here can tell. */
export const isOver = ({ owner }: FileDocument): boolean => owner !== undefined && lifeOf(owner) === 'dead'
