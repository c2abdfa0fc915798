import { createHash } from 'node:crypto'
import type { Change } from '../../core/ports/notifier.js'
import type { ExternalSecret } from './objects.js'

/** Our marks for one secret behind one ExternalSecret. Another secret in the same workload has its own, and so has the same secret behind another ExternalSecret. */
export interface Mark {
  /** The annotation on the ExternalSecret and on the templates. It holds the change's id, so that a repeat is a no-op. */
  readonly key: string
  /** The annotation for what the operator had synced when the mark was written. The cluster keeps it, so that it is known even after a crash. */
  readonly before: string
  readonly change: string
}
const markPrefix = 'keyturn/change-'
const beforePrefix = 'keyturn/before-'
const markDigits = 12

/** `source`: the ExternalSecret, or the parent that makes it. */
export function markOf({ id, ref }: Change, source: string): Mark {
  const digest = createHash('sha256').update(`${ref.store}:${ref.key}\n${source}`).digest('hex')
  const hash = digest.slice(0, markDigits)
  return { key: markPrefix + hash, before: beforePrefix + hash, change: id }
}
/** Whether the mark of this very change is there. A mark of an earlier change does not count. */
export const isMarkedBy = (annotations: Readonly<Record<string, string>> | undefined, { key, change }: Mark): boolean =>
  annotations?.[key] === change

/** A parent's one annotation holds a token for each secret, so that two secrets do not overwrite each other's requests. */
const tokenOf = ({ key, change }: Mark): string => `${key.slice(markPrefix.length)}=${change}`
/** Whether the token is there. Where the sync was asked for once more, a `~` and a number follow it. */
export const hasToken = (text: string | undefined, mark: Mark): boolean =>
  (text ?? '').split(',').some((one) => one.split('~')[0] === tokenOf(mark))
/** Adds the token to the text. `again` makes another text for the same request, so that the operator takes it for a new one. */
export function withToken(text: string | undefined, mark: Mark, again?: number): string {
  const token = tokenOf(mark) + (again === undefined ? '' : `~${again.toString(36)}`)
  const own = token.slice(0, markDigits + 1)
  const tokens = (text ?? '').split(',').filter((one) => one.includes('='))
  const others = tokens.filter((one) => !one.startsWith(own))
  return [...others, token].join(',')
}

/** The one annotation that the operator passes on from a ClusterExternalSecret to its children (0.20 and later). */
export const forceSyncKey = 'external-secrets.io/force-sync'

/**
 * Whether a sync that began after our mark was stored has ended well. It needs no clock. The operator notes what it has synced as
 * `<generation>-<hash of annotations and labels>`, with optimistic locking. A sync that began before the mark is refused and done again. So any note
 * that differs from the one at the time of the mark belongs to a later sync. Children of a ClusterExternalSecret lose our note: there the proof is
 * the hash, recomputed from the present annotations and labels. Its form is not documented: MD5 up to 0.16.1, SHA3-224 after. A hash of another form
 * proves nothing. https://github.com/external-secrets/external-secrets, pkg/controllers/util
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

/** Prints a map as Go does, with its keys in byte order. */
export function mapText(map: Readonly<Record<string, string>>): string {
  const keys = Object.keys(map).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const entries = keys.map((key) => `${key}:${map[key]}`)
  return `map[${entries.join(' ')}]`
}

/** Why a sync that ended does not prove that the Secret was written; undefined where it was. Ready=True alone is also said of old data. */
export function whyNotWritten({ spec, status }: ExternalSecret): string | undefined {
  // The operator reports both as synced, and does not change the Secret.
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
