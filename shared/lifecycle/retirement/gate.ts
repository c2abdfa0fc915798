import type { Change, Consumer } from '../../core/ports/notifier.js'
import type { Context, Usage } from '../../core/ports/rotator.js'
import type { Retiring, SecretState, Seen } from '../../core/ports/store.js'
import { type Delivery, deliver } from '../consumers/deliver.js'
import { changeOf } from '../decide/publication.js'
import { companionKind, type Known, type Setup, type Tools } from '../secret/setup.js'

/** One look at a secret, with what acts on it. */
export interface Looked {
  readonly tools: Tools
  readonly setup: Known
  readonly state: SecretState
}

/** Whether a credential that left may be retired, and what was found out about it. `entry` keeps the evidence for the next look. */
export interface Verdict {
  readonly open: boolean
  /** For people, and for the audit log where it was by force. */
  readonly why: string
  readonly forced: boolean
  readonly entry: Retiring
  readonly told: readonly Delivery[]
}

/**
 * The gate is open only when every required consumer, asked again now, is drained. Where no consumer is named, it is open only when the target
 * itself shows that nobody uses the credential any more. An empty list of consumers proves nothing, and arms nothing. `notBefore`: until then nothing is
 * retired whatever the verdict is, so that a consumer who was seen as drained is not asked once more.
 */
export async function askGate(looked: Looked, entry: Retiring, context: Context<unknown>, notBefore = 0): Promise<Verdict> {
  const { tools, setup, state } = looked
  const now = tools.deps.env.now()
  const told = await askConsumers(tools, setup, state, now < notBefore)
  const required = told.filter(({ consumer }) => consumer.required)
  const behind = required.filter(({ seen }) => seen.phase !== 'drained')
  const use = await (setup.rotator.sessions ?? setup.rotator.issuer)?.usage(context, entry.id)
  const after = withUsage(entry, use, now)
  const opened = (why: string): Verdict => ({ open: true, forced: false, why, entry: after, told })
  const closed = (phase: 'waiting' | 'undeclared', why: string): Verdict => forcedOr(setup, now, { ...after, state: phase }, told, why)
  if (behind.length > 0) {
    const names = behind.map(({ consumer, seen, evidence }) => `${consumer.key} (${seen.phase}: ${evidence})`).join(', ')
    return closed('waiting', `not yet on the current version: ${names}`)
  }
  if (use?.inUse === true) return closed('waiting', `still in use: ${use.evidence}`)
  // A written companion does not prove that its readers have read it: it can close the gate, and never opens it.
  if (required.some(({ consumer }) => consumer.kind !== companionKind)) return opened('every required consumer is drained')
  const reason = unusedFor(after, use, setup.settings.graceMs, now)
  if (reason !== undefined) return opened(reason)
  if (after.seenInUse !== undefined && after.unusedSince !== undefined) {
    const since = new Date(after.unusedSince).toISOString()
    return closed('waiting', `unused since ${since}; armed when grace is over`)
  }
  const evidence = use ? ` (${use.evidence})` : ''
  return closed('undeclared', `nobody is named and nobody was seen${evidence}: not armed; its slot may be used again after grace`)
}

/** Asks each required consumer again now: what was noted before may be stale. `trusts`: who was noted as drained is not asked. */
async function askConsumers(tools: Tools, { consumers }: Setup, state: SecretState, trusts: boolean): Promise<readonly Delivery[]> {
  const { current } = state
  if (current === undefined) return []
  const change = changeOf(state, current)
  const told: Delivery[] = []
  for (const consumer of consumers.filter((one: Consumer) => one.required)) {
    const before = state.journal?.seen?.[consumer.key]
    const isDrained = before?.version === change.version && before.phase === 'drained'
    if (trusts && isDrained) told.push({ consumer, seen: before, evidence: 'seen before' })
    else told.push(await askNow(tools, change, consumer, before, consumers))
  }
  return told
}

/** Does not ask a consumer before the time that it named (Retry-After): until then it counts as not drained. */
async function askNow(
  tools: Tools,
  change: Change,
  consumer: Consumer,
  before: Seen | undefined,
  all: readonly Consumer[],
): Promise<Delivery> {
  const hasFailed = before?.version === change.version && before.phase === 'failed'
  if (hasFailed && (before.again ?? 0) > tools.deps.env.now())
    return { consumer, seen: before, evidence: before.evidence ?? 'asked to wait' }
  return deliver(tools, change, consumer, before, all)
}

/** Only lasting sessions are noted as seen, and only their end starts the clock. */
function withUsage(entry: Retiring, use: Usage | undefined, now: number): Retiring {
  const { unusedSince, ...rest } = entry
  if (use?.inUse === true) return use.lasting === false ? rest : { ...rest, seenInUse: now }
  if (use?.inUse !== false || entry.seenInUse === undefined) return rest
  return { ...rest, unusedSince: unusedSince ?? now }
}

/** Why the target shows that the credential has been unused for the whole grace period; undefined where it does not show that. */
function unusedFor(entry: Retiring, use: Usage | undefined, graceMs: number, now: number): string | undefined {
  if (use?.inUse !== false) return undefined
  const { since, seenInUse, unusedSince } = entry
  if (use.lastUsedAt !== undefined && use.lastUsedAt >= 0) {
    const graceUntil = Math.max(use.lastUsedAt, since) + graceMs
    return now >= graceUntil ? `last used ${new Date(use.lastUsedAt).toISOString()}` : undefined
  }
  const seenAfter = seenInUse !== undefined && seenInUse >= since
  if (!seenAfter || unusedSince === undefined || now < unusedSince + graceMs) return undefined
  return `its sessions were seen and have ended: none since ${new Date(unusedSince).toISOString()}`
}

function forcedOr({ settings }: Setup, now: number, entry: Retiring, told: readonly Delivery[], why: string): Verdict {
  const { forceAfterMs } = settings
  const isOver = forceAfterMs !== undefined && now >= entry.since + forceAfterMs
  if (!isOver || entry.state !== 'waiting') return { open: false, forced: false, why, entry, told }
  return { open: true, forced: true, why: `keyturn-drain: force, although ${why}`, entry, told }
}
