import type { VersionId } from '../../core/ports/words.js'

/** The service's own staging labels, and ours. A label sits on one version at most. */
export const label = {
  current: 'AWSCURRENT',
  previous: 'AWSPREVIOUS',
  pending: 'AWSPENDING',
  /** Durable: refused before any login until a person looked. */
  stuck: 'KEYTURN_STUCK',
  /** Kept, but not named as pending yet; only while our own engine rotates. */
  staged: 'KEYTURN_STAGED',
} as const

/** A version that is still to be retired and that the next publication would push off AWSPREVIOUS: with a label the service does not drop it. */
export const retiringLabels = ['KEYTURN_RETIRING_1', 'KEYTURN_RETIRING_2', 'KEYTURN_RETIRING_3'] as const

/** The labels of each version. */
export type Stages = ReadonlyMap<VersionId, readonly string[]>

/** Finds the version that has a label; undefined where none has it. */
export const holderOf = (stages: Stages, name: string): VersionId | undefined => [...stages].find(([, names]) => names.includes(name))?.[0]
