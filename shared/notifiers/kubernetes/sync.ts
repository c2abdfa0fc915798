import { createHash } from 'node:crypto'
import type { ExternalSecret } from './objects.js'

/** Our own mark on what we poke, restart and look at: the change's id, so that a repeat is a no-op. */
export const changeKey = 'keyturn/change-id'
/** What the operator had synced when our mark was written. Kept in the cluster, so that it is known after a crash, too. */
export const beforeKey = 'keyturn/synced-before'
/** The one annotation that the operator passes on from a ClusterExternalSecret to its children (0.20 and later). */
export const forceSyncKey = 'external-secrets.io/force-sync'

/**
 * Whether a sync that began after our mark was stored has ended well; without a clock. The operator notes what it has synced as
 * `<generation>-<hash of annotations and labels>`, with optimistic locking: what was begun before the mark is refused and done again, so that any
 * other note than the one that stood there when the mark was written is of a sync after it. The hash recomputed from what stands there now is the
 * second opinion, and the only one for children of a ClusterExternalSecret. Its form is not documented: MD5 up to 0.16.1, SHA3-224 after; one of
 * another form says nothing. https://github.com/external-secrets/external-secrets, pkg/controllers/util
 */
export function isSynced({ metadata, status }: ExternalSecret): boolean {
  const noted = status?.syncedResourceVersion ?? ''
  const before = metadata.annotations[beforeKey]
  if (noted === '' || noted === before) return false
  const [generation, ...rest] = noted.split('-')
  const algorithm = { 56: 'sha3-224', 32: 'md5' }[rest.join('-').length]
  if (algorithm === undefined) return before !== undefined
  const text = `{annotations:${mapText(metadata.annotations)} labels:${mapText(metadata.labels)}}`
  return generation === String(metadata.generation) && createHash(algorithm).update(text).digest('hex') === rest.join('-')
}

/** As Go prints a map: keys in byte order. */
export const mapText = (map: Readonly<Record<string, string>>): string =>
  `map[${Object.keys(map)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((key) => `${key}:${map[key]}`)
    .join(' ')}]`

/** Why a sync that ended says nothing of the Secret: undefined where it was written. Ready=True alone is also said of old data. */
export function whyNotWritten({ status }: ExternalSecret): string | undefined {
  const ready = status?.conditions.find(({ type }) => type === 'Ready')
  if (ready === undefined) return 'the operator has said nothing yet'
  if (ready.status !== 'True') return `the operator could not sync it (${ready.reason})`
  if (!['SecretSynced', 'ResourceSynced'].includes(ready.reason)) return `the operator wrote nothing (${ready.reason})`
  return /retained/i.test(ready.message) ? 'the operator kept the old Secret' : undefined
}

export const secretNameOf = ({ metadata, spec }: ExternalSecret): string => spec.target?.name ?? metadata.name
