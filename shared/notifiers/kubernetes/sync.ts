import { createHash } from 'node:crypto'
import type { ExternalSecret } from './objects.js'

/** Our own mark on what we poke, restart and look at: the change's id, so that a repeat is a no-op. */
export const changeKey = 'keyturn/change-id'
/** The one annotation that the operator passes on from a ClusterExternalSecret to its children (0.20 and later). */
export const forceSyncKey = 'external-secrets.io/force-sync'

/**
 * The operator notes `<generation>-<hash of annotations and labels>` of what it has synced: if that is the hash of what stands there now, our mark
 * included, then a sync that began after the mark was stored has ended well. Exact, without a clock. The form is not documented: MD5 up to 0.16.1,
 * SHA3-224 after. https://github.com/external-secrets/external-secrets, pkg/controllers/util
 */
export function isSynced({ metadata, status }: ExternalSecret): boolean {
  const [generation, ...rest] = (status?.syncedResourceVersion ?? '').split('-')
  const noted = rest.join('-')
  const algorithm = noted.length === 56 ? 'sha3-224' : noted.length === 32 ? 'md5' : undefined
  if (algorithm === undefined || generation !== String(metadata.generation)) return false
  const text = `{annotations:${mapText(metadata.annotations)} labels:${mapText(metadata.labels)}}`
  return createHash(algorithm).update(text).digest('hex') === noted
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
