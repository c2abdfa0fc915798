import { codeOf, RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Change, Consumer, Notifier } from '../../core/ports/notifier.js'
import type { Seen } from '../../core/ports/store.js'
import type { SecretText } from '../../core/secret-text.js'
import { guardNotifier } from '../guard/index.js'
import { companionKind, type Tools } from '../secret/setup.js'
import { companionNotifier } from './companions.js'

/** What one consumer said when it was told or asked. */
export interface Delivery {
  readonly consumer: Consumer
  readonly seen: Seen
  readonly evidence: string
}

const tellMsMax = 30_000
const againMsMin = 60_000
const againMsMax = 3_600_000

/** It knows of the publication, or answered for good that it will not: only what may still be delivered keeps an announcement due. */
export const wasTold = ({ phase, code }: Seen): boolean => phase !== 'failed' || code === 'delivery_refused'

/** One consumer, one bounded look and at most one delivery. Never throws for what the consumer does: its failure must not undo or repeat a rotation. */
export async function deliver(tools: Tools, change: Change, consumer: Consumer, before: Seen | undefined): Promise<Delivery> {
  const { env } = tools.deps
  const receipt = before?.version === change.version ? before : undefined
  const context = {
    env: tools.guard.env,
    deadline: env.now() + tellMsMax,
    value: () => tools.store.read(change.ref, change.version),
    before: () => readBefore(tools, change),
    ...optional('receipt', receipt),
  }
  const seenNow = (rest: Omit<Seen, 'version' | 'at'>): Seen => ({ version: change.version, at: env.now(), ...rest })
  try {
    const notifier = guardNotifier(await notifierFor(tools, consumer.kind), tools.guard, change.ref.shown)
    const { phase, code, evidence, ...told } = await notifier.advance(change, consumer, context)
    const refused = code === 'delivery_refused' // it wants none: asked again only where somebody waits for it
    const again = !refused ? told.again : consumer.required ? (told.again ?? laterThan(change, env.now())) : undefined
    const received = receipt?.received && receipt.phase === phase ? { received: true as const } : {}
    // Mis-set, as its last preflight said: that it is told all the same does not mend it.
    const misset = receipt?.code === 'bad_config' && receipt.phase !== 'failed' ? receipt.code : undefined
    return { consumer, evidence, seen: seenNow({ phase, ...optional('again', again), ...optional('code', code ?? misset), ...received }) }
  } catch (cause) {
    if (!(cause instanceof RotationError) || cause.code === 'audit_failed' || cause.code === 'held') throw cause
    return { consumer, evidence: cause.message, seen: seenNow({ phase: 'failed', code: cause.code, again: laterThan(change, env.now()) }) }
  }
}

/** A companion is written with the rotator of its source, so that it is the lifecycle's own to tell. */
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
const laterThan = ({ sequence }: Change, now: number): number => now + Math.min(againMsMax, Math.max(againMsMin, now - sequence))

/** Where a consumer is as far as it was, it has been so since then: how long it stands still is asked later. */
export const seenBy = (told: readonly Delivery[], before: Readonly<Record<string, Seen>> | undefined): Readonly<Record<string, Seen>> => ({
  ...before,
  ...Object.fromEntries(told.map(({ consumer, seen }) => [consumer.key, since(before?.[consumer.key], seen)])),
})
const since = (before: Seen | undefined, now: Seen): Seen =>
  before !== undefined && before.version === now.version && before.phase === now.phase && before.code === now.code && !now.received
    ? { ...now, at: before.at }
    : now
