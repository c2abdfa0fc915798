import type { Cluster } from './cluster.js'
import type { ExternalSecret, Secret } from './objects.js'
import { secretNameOf } from './sync.js'

/**
 * Why the operator has not written the Secret, for people, and what helps. fix: somebody set it up so that it never writes it. asks: only another
 * request makes it try again; otherwise it tries again by itself, or nothing but a change of the spec helps.
 */
export interface Unwritten {
  readonly why: string
  readonly fix: boolean
  readonly asks: boolean
}

const textMax = 160
/** What the operator could not do, and tries again by itself with growing pauses of at most seven minutes. Everything else it leaves alone. */
const triesAgain = /^could not (get secret data from provider|update secret|delete orphaned secrets)(:|$)/i
/** What the operator refuses to write into, until somebody changes the target or the ExternalSecret. */
const refusedTarget = /owned by another|ownership|immutable/i

/** Why what its spec asks for is never a Secret that changes. The operator reports each of these as synced. */
export function whyNoSecret({ spec: { target } }: ExternalSecret): string | undefined {
  if (target?.manifest !== undefined) return `it writes a ${target.manifest.kind}, and no Secret (target.manifest)`
  if (target?.immutable) return 'its target is immutable'
  return target?.creationPolicy === 'None' ? 'it writes no Secret (creationPolicy None)' : undefined
}

/**
 * What its Ready condition says against the Secret; undefined where the Secret was written. The reason is only there: a failed sync changes nothing
 * else. Ready=True alone is also said of old data, of a Secret that was deleted, and of one that was never made.
 */
export function conditionAgainst({ status }: ExternalSecret): Unwritten | undefined {
  const ready = status?.conditions.find(({ type }) => type === 'Ready')
  if (ready === undefined) return { why: 'the operator has said nothing yet', fix: false, asks: false }
  const { reason, message } = ready
  const says = shown(reason, message)
  if (ready.status !== 'True') {
    const fix = refusedTarget.test(`${reason} ${message}`)
    return { why: `the operator could not sync it${says}`, fix, asks: !triesAgain.test(message) }
  }
  if (reason !== 'SecretSynced') return { why: `the operator wrote nothing${says}`, fix: false, asks: true }
  return /retained/i.test(message) ? { why: `the operator kept the old Secret${says}`, fix: false, asks: true } : undefined
}

/** Why the Secret was not written, by its spec or its condition; undefined where it was. */
export function whyNotWritten(externalSecret: ExternalSecret): Unwritten | undefined {
  const why = whyNoSecret(externalSecret)
  return why === undefined ? conditionAgainst(externalSecret) : { why, fix: true, asks: false }
}

/** Why the operator may not write this very Secret, for people. Before 0.14 it does not say so itself: it "could not update Secret". */
export function whyRefused({ metadata, spec }: ExternalSecret, secret: Secret | undefined): string | undefined {
  if (secret === undefined) return undefined
  if (secret.immutable) return `the Secret ${secret.metadata.name} is immutable`
  const others = secret.metadata.ownerReferences.filter(({ kind, controller }) => kind === 'ExternalSecret' && controller)
  const other = others.find(({ name }) => name !== metadata.name)
  const isOwner = (spec.target?.creationPolicy ?? 'Owner') === 'Owner'
  return other && isOwner ? `the Secret ${secret.metadata.name} belongs to the ExternalSecret ${other.name}` : undefined
}

/** The same as `whyNotWritten`. Where the operator failed without naming the target, the Secret itself is looked at. */
export async function whyUnwritten(externalSecret: ExternalSecret, cluster: Cluster): Promise<Unwritten | undefined> {
  const found = whyNotWritten(externalSecret)
  const hasFailed = externalSecret.status?.conditions.some(({ type, status }) => type === 'Ready' && status === 'False')
  if (found === undefined || found.fix || !hasFailed) return found
  const refused = whyRefused(externalSecret, await cluster.secret(secretNameOf(externalSecret)))
  return refused === undefined ? found : { ...found, why: `${found.why}: ${refused}`, fix: true }
}

/** The operator's own words, in one short line. Its messages are fixed texts; the provider's errors stand only in its events. */
function shown(reason: string, message: string): string {
  const line = [reason, message].filter((text) => text !== '').join(': ')
  const short = line.replace(/[\s\p{C}]+/gu, ' ').trim()
  if (short === '') return ''
  return ` (${short.length > textMax ? `${short.slice(0, textMax)}…` : short})`
}
