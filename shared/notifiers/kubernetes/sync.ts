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
/** The mark of what a consumer names: an ExternalSecret, or the parent that makes it. */
export const sourceMark = (change: Change, { externalSecret, clusterExternalSecret: parent }: Source): Mark =>
  markOf(change, parent === undefined ? (externalSecret ?? '') : `parent ${parent}`)
/** What a consumer names of the operator's objects; one of the two. */
export interface Source {
  readonly externalSecret?: string | undefined
  readonly clusterExternalSecret?: string | undefined
}
/** Whether the mark of this very change is there. A mark of an earlier change does not count. */
export const isMarkedBy = (annotations: Readonly<Record<string, string>> | undefined, { key, change }: Mark): boolean =>
  annotations?.[key] === change

/** What follows `~` in our marks: when we asked. It makes a repeated request another text, so that the operator takes it for a new one. */
const askedMark = '~'
const withTime = (text: string, now: number): string => text + askedMark + now.toString(36)
/** The note of what was synced before the request, with the time of the request. */
export const beforeText = (synced: string | undefined, now: number): string => withTime(synced ?? '', now)

/** A parent's one annotation holds a token for each secret, so that two secrets do not overwrite each other's requests. */
const tokenOf = ({ key, change }: Mark): string => `${key.slice(markPrefix.length)}=${change}`
const tokensIn = (text: string | undefined): readonly string[] => (text ?? '').split(',').filter((one) => one.includes('='))
const findToken = (text: string | undefined, mark: Mark): string | undefined =>
  tokensIn(text).find((one) => one.split(askedMark)[0] === tokenOf(mark))
/** Whether the token of this very change is there, whenever it was written. */
export const hasToken = (text: string | undefined, mark: Mark): boolean => findToken(text, mark) !== undefined
/** Adds the token to the text, in place of an older one of the same secret. */
export function withToken(text: string | undefined, mark: Mark, now: number): string {
  const token = withTime(tokenOf(mark), now)
  const own = token.slice(0, markDigits + 1)
  return [...tokensIn(text).filter((one) => !one.startsWith(own)), token].join(',')
}

/** When the operator was last asked for this change, in epoch milliseconds; undefined where the marks do not say. */
export function askedAt({ metadata: { annotations } }: ExternalSecret, mark: Mark): number | undefined {
  const noted = annotations[mark.before] ?? findToken(annotations[forceSyncKey], mark)
  const [, time] = noted?.split(askedMark) ?? []
  const at = time === undefined ? Number.NaN : Number.parseInt(time, 36)
  return Number.isSafeInteger(at) ? at : undefined
}

/** The one annotation that the operator passes on from a ClusterExternalSecret to its children (0.20 and later). */
export const forceSyncKey = 'external-secrets.io/force-sync'

/** The digits of the hash that operators up to 0.16.1 note (MD5), and of the one since (SHA3-224). */
const md5Digits = 32
const sha3Digits = 56

/**
 * Whether a sync that began after our mark was stored has ended well. It needs no clock. The operator notes what it has synced as
 * `<generation>-<hash of annotations and labels>`. Since 0.14 it does so with optimistic locking: a sync that began before the mark is refused and done
 * again, so that any note that differs from the one at the time of the mark belongs to a later sync. Older operators do not lock: a sync that began
 * before the mark may leave another note, too. There, and for children of a ClusterExternalSecret, which lose our note, the proof is the hash,
 * recomputed from the present annotations and labels. Its form is not documented, and a hash of another form proves nothing where it is needed.
 * https://github.com/external-secrets/external-secrets, pkg/controllers/util
 */
export function isSynced({ metadata, status }: ExternalSecret, mark: Mark): boolean {
  const noted = status?.syncedResourceVersion ?? ''
  const before = metadata.annotations[mark.before]?.split(askedMark)[0]
  if (noted === '' || noted === before) return false
  const [generation, ...rest] = noted.split('-')
  const hash = rest.join('-')
  if (before !== undefined && hash.length !== md5Digits) return true
  const algorithm = { [sha3Digits]: 'sha3-224', [md5Digits]: 'md5' }[hash.length]
  if (algorithm === undefined || generation !== String(metadata.generation)) return false
  const text = `{annotations:${mapText(metadata.annotations)} labels:${mapText(metadata.labels)}}`
  return createHash(algorithm).update(text).digest('hex') === hash
}

/** Prints a map as Go does, with its keys in byte order. */
export function mapText(map: Readonly<Record<string, string>>): string {
  const keys = Object.keys(map).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const entries = keys.map((key) => `${key}:${map[key]}`)
  return `map[${entries.join(' ')}]`
}

/** The name of the Secret that the operator writes: its own where the target has none. */
export const secretNameOf = ({ metadata, spec }: ExternalSecret): string => spec.target?.name ?? metadata.name
