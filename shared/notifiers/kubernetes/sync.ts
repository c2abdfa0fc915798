import { createHash } from 'node:crypto'
import type { Change } from '../../core/ports/notifier.js'
import type { ExternalSecret } from './objects.js'

/** Our marks for one secret behind one ExternalSecret: another secret in the same workload, or the same one behind another, has others. */
export interface Mark {
  /** On the ExternalSecret and on the templates: the change's id, so that a repeat is a no-op. */
  readonly key: string
  /** What the operator had synced when the mark was written. Kept in the cluster, so that it is known after a crash, too. */
  readonly before: string
  readonly change: string
}
const markPrefix = 'keyturn/change-'
const beforePrefix = 'keyturn/before-'
const markDigits = 12

/** `source`: the ExternalSecret, or the parent that makes it. */
export function markOf({ id, ref }: Change, source: string): Mark {
  const hash = createHash('sha256').update(`${ref.store}:${ref.key}\n${source}`).digest('hex').slice(0, markDigits)
  return { key: markPrefix + hash, before: beforePrefix + hash, change: id }
}
/** Whether the mark of this very change is there; that of an earlier change does not count. */
export const isMarkedBy = (annotations: Readonly<Record<string, string>> | undefined, { key, change }: Mark): boolean =>
  annotations?.[key] === change

/** The one annotation of a parent holds a token of each secret, so that two of them do not take turns in asking. */
const tokenOf = ({ key, change }: Mark): string => `${key.slice(markPrefix.length)}=${change}`
/** Also where it was asked once more: then a `~` and a number follow. */
export const hasToken = (text: string | undefined, mark: Mark): boolean =>
  (text ?? '').split(',').some((one) => one.split('~')[0] === tokenOf(mark))
/** `again`: another text for the same request, so that the operator takes it for a new one. */
export function withToken(text: string | undefined, mark: Mark, again?: number): string {
  const token = tokenOf(mark) + (again === undefined ? '' : `~${again.toString(36)}`)
  const own = token.slice(0, markDigits + 1)
  return [...(text ?? '').split(',').filter((one) => one.includes('=') && !one.startsWith(own)), token].join(',')
}

/** The one annotation that the operator passes on from a ClusterExternalSecret to its children (0.20 and later). */
export const forceSyncKey = 'external-secrets.io/force-sync'

/**
 * Whether a sync that began after our mark was stored has ended well; without a clock. The operator notes what it has synced as
 * `<generation>-<hash of annotations and labels>`, with optimistic locking: what was begun before the mark is refused and done again, so that any
 * other note than the one that stood there when the mark was written is of a sync after it. Children of a ClusterExternalSecret lose what we note:
 * there the hash, recomputed from what stands there now, is the proof. Its form is not documented: MD5 up to 0.16.1, SHA3-224 after; one of another
 * form proves nothing. https://github.com/external-secrets/external-secrets, pkg/controllers/util
 */
export function isSynced({ metadata, status }: ExternalSecret, mark: Mark): boolean {
  const noted = status?.syncedResourceVersion ?? ''
  const before = metadata.annotations[mark.before]
  if (noted === '') return false
  if (before !== undefined) return noted !== before
  const [generation, ...rest] = noted.split('-')
  const algorithm = { 56: 'sha3-224', 32: 'md5' }[rest.join('-').length]
  if (algorithm === undefined || generation !== String(metadata.generation)) return false
  const text = `{annotations:${mapText(metadata.annotations)} labels:${mapText(metadata.labels)}}`
  return createHash(algorithm).update(text).digest('hex') === rest.join('-')
}

/** As Go prints a map: keys in byte order. */
export const mapText = (map: Readonly<Record<string, string>>): string =>
  `map[${Object.keys(map)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((key) => `${key}:${map[key]}`)
    .join(' ')}]`

/** Why a sync that ended says nothing of the Secret: undefined where it was written. Ready=True alone is also said of old data. */
export function whyNotWritten({ spec, status }: ExternalSecret): string | undefined {
  // Both are called synced, and the Secret is left as it is.
  if (spec.target?.immutable) return 'its target is immutable'
  if (spec.target?.creationPolicy === 'None') return 'it writes no Secret (creationPolicy None)'
  const ready = status?.conditions.find(({ type }) => type === 'Ready')
  if (ready === undefined) return 'the operator has said nothing yet'
  if (ready.status !== 'True') return `the operator could not sync it (${ready.reason})`
  if (!['SecretSynced', 'ResourceSynced'].includes(ready.reason)) return `the operator wrote nothing (${ready.reason})`
  return /retained/i.test(ready.message) ? 'the operator kept the old Secret' : undefined
}

/** The name of the Secret that the operator writes: its own where the target has none. */
export const secretNameOf = ({ metadata, spec }: ExternalSecret): string => spec.target?.name ?? metadata.name
