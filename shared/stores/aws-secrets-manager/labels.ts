import type { VersionId } from '../../core/ports/words.js'

/** The service's own staging labels, and ours. At most one version has a label. */
export const label = {
  current: 'AWSCURRENT',
  previous: 'AWSPREVIOUS',
  pending: 'AWSPENDING',
  /** Durable: the secret is refused before any login until a person has looked. */
  stuck: 'KEYTURN_STUCK',
  /** The value is kept, and not named as pending yet. Only our own engine uses it. */
  staged: 'KEYTURN_STAGED',
} as const

/** Labels for versions that are still to be retired, and that the next publication would push off AWSPREVIOUS: the service does not drop a version with a label. */
export const retiringLabels = ['KEYTURN_RETIRING_1', 'KEYTURN_RETIRING_2', 'KEYTURN_RETIRING_3'] as const

/** The labels of each version. */
export type Stages = ReadonlyMap<VersionId, readonly string[]>

/** Finds the version that has a label; undefined where none has it. */
export function holderOf(stages: Stages, name: string): VersionId | undefined {
  const found = [...stages].find(([, names]) => names.includes(name))
  return found?.[0]
}
