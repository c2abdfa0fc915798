import { codeOf, RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Change, Consumer, Notifier } from '../../core/ports/notifier.js'
import type { Seen } from '../../core/ports/store.js'
import type { SecretText } from '../../core/secret-text.js'
import { guardNotifier } from '../guard/index.js'
import { companionKind, type Tools } from '../secret/setup.js'
import { companionNotifier } from './companions.js'
import { isHeldUntilAsked } from './moving.js'

/** What one consumer said when it was told or asked. */
export interface Delivery {
  readonly consumer: Consumer
  readonly seen: Seen
  readonly evidence: string
}

const tellMsMax = 30_000
const againMsMin = 60_000
const againMsMax = 3_600_000

/** Whether a consumer knows of the publication, or refused it for good. Only what may still be delivered keeps an announcement due. */
export const wasTold = ({ phase, code }: Seen): boolean => phase !== 'failed' || code === 'delivery_refused'

/**
 * Tells one consumer: one bounded look and at most one delivery. It does not throw for what the consumer does, because that failure must not undo
 * or repeat a rotation. `all`: the consumers of the secret, because some are restarted together.
 */
export async function deliver(
  tools: Tools,
  change: Change,
  consumer: Consumer,
  before: Seen | undefined,
  all: readonly Consumer[],
): Promise<Delivery> {
  const { env } = tools.deps
  const { ref, version } = change
  const receipt = before?.version === version ? before : undefined
  const context = {
    env: tools.guard.env,
    deadline: env.now() + tellMsMax,
    beside: all.filter(({ key, kind }) => kind === consumer.kind && key !== consumer.key),
    value: () => tools.store.read(ref, version),
    before: () => readBefore(tools, change),
    ...optional('receipt', receipt),
  }
  const seenNow = (rest: Omit<Seen, 'version' | 'at'>): Seen => ({ version, at: env.now(), ...rest })
  try {
    const loaded = await notifierFor(tools, consumer.kind)
    const notifier = guardNotifier(loaded, tools.guard, ref.shown)
    const { phase, code, evidence: said, ...told } = await notifier.advance(change, consumer, context)
    const evidence = tools.guard.redactor.clean(said)
    const later = () => laterThan(change, env.now())
    const again = code === 'delivery_refused' ? againAfterRefusal(consumer, told.again, later) : told.again
    const received = receipt?.received && receipt.phase === phase ? { received: true as const } : {}
    const kept = code === undefined && receipt !== undefined && isSticky(receipt, phase) ? receipt : undefined
    const noted = kept === undefined ? { code, evidence: noteOf(evidence) } : { code: kept.code, evidence: kept.evidence }
    const seen = { phase, ...optional('again', again), ...optional('code', noted.code), ...optional('evidence', noted.evidence) }
    return { consumer, evidence, seen: seenNow({ ...seen, ...received }) }
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    const { code, message: evidence } = cause
    if (code === 'audit_failed' || code === 'held') throw cause
    const again = laterThan(change, env.now())
    return { consumer, evidence, seen: seenNow({ phase: 'failed', code, again, evidence: noteOf(evidence) }) }
  }
}

/** A consumer that refused is asked again only where somebody waits for it. */
function againAfterRefusal({ required }: Consumer, again: number | undefined, later: () => number): number | undefined {
  return required ? (again ?? later()) : undefined
}

/**
 * Whether the last preflight found that the consumer could not follow: a delivery that succeeds all the same does not change that. A look may find
 * the same of a request that is not followed. Once it is followed, that is over; the next preflight says so if not. The same holds for one that has
 * arrived, and waited for nothing but this request.
 */
function isSticky(receipt: Seen, now: Seen['phase']): boolean {
  const { code, phase } = receipt
  if (code !== 'bad_config' && code !== 'held') return false
  if (phase === 'failed') return code === 'held' && now === 'requested' // never told: its preflight noted that
  if (phase === 'drained' && now === 'drained') return !isHeldUntilAsked(receipt)
  return phase !== 'requested' || now === 'requested'
}

const noteMax = 300
/** One line of limited length, for the notes. */
export function noteOf(text: string): string {
  const line = text.replace(/[\s\p{C}]+/gu, ' ').trim()
  return line.length > noteMax ? `${line.slice(0, noteMax - 1)}…` : line
}
/**
 * Whether what is said now is worth a note of its own. Counts vary from look to look, and so do the names in brackets while a rollout goes on. Where a
 * store has left the text out, nothing is compared.
 */
export function saysElse(before: Seen | undefined, { phase, evidence }: Pick<Seen, 'phase' | 'evidence'>): boolean {
  if (before?.evidence === undefined || evidence === undefined) return false
  const plain = (text: string): string => {
    const counted = text.replace(/\d+/g, '#')
    return phase === 'restarted' ? counted.replace(/ \([^)]*\)/g, '') : counted
  }
  return plain(before.evidence) !== plain(evidence)
}

/** The notifier of a kind. Companions have one of the lifecycle's own, because the rotator of the source makes what is written. */
export const notifierFor = async (tools: Tools, kind: string): Promise<Notifier> =>
  kind === companionKind ? companionNotifier(tools) : tools.deps.loadNotifier(kind)

async function readBefore({ store }: Tools, { ref, previous }: Change): Promise<SecretText | undefined> {
  try {
    return previous === null ? undefined : await store.read(ref, previous)
  } catch (cause) {
    if (codeOf(cause) === 'not_found') return undefined
    throw cause
  }
}

/** The older the publication, the longer the pause: one minute to one hour. */
function laterThan({ sequence }: Change, now: number): number {
  const age = now - sequence
  return now + Math.min(againMsMax, Math.max(againMsMin, age))
}

type SeenByKey = Readonly<Record<string, Seen>>
/** The notes with what was told. A consumer that has not moved keeps its old time, which later shows how long it has not moved. */
export function seenBy(told: readonly Delivery[], before: SeenByKey | undefined): SeenByKey {
  const entries = told.map(({ consumer: { key }, seen }) => [key, since(before?.[key], seen)] as const)
  return { ...before, ...Object.fromEntries(entries) }
}
function since(before: Seen | undefined, now: Seen): Seen {
  if (before === undefined || now.received) return now
  const isSame = before.version === now.version && before.phase === now.phase && before.code === now.code
  return isSame ? { ...now, at: before.at } : now
}
