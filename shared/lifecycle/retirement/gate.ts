import type { Change, Consumer } from '../../core/ports/notifier.js'
import type { Context, Usage } from '../../core/ports/rotator.js'
import type { Retiring, SecretState, Seen } from '../../core/ports/store.js'
import { type Delivery, deliver } from '../consumers/deliver.js'
import { changeOf } from '../decide/publication.js'
import { companionKind, type Known, type Setup, type Tools } from '../secret/setup.js'

/** Whether a credential that left may be retired, and what was found out about it. `entry` carries the evidence on. */
export interface Verdict {
  readonly open: boolean
  /** For people, and for the audit log where it was by force. */
  readonly why: string
  readonly forced: boolean
  readonly entry: Retiring
  readonly told: readonly Delivery[]
}

/**
 * Open only when every required consumer, asked again now, is drained; or, where none is named, when the target itself shows that nobody uses
 * the credential any more. That no consumer is known is not that all were seen. An empty list arms nothing.
 */
export async function askGate(
  tools: Tools,
  setup: Known,
  state: SecretState,
  entry: Retiring,
  context: Context<unknown>,
): Promise<Verdict> {
  const now = tools.deps.env.now()
  const told = await askConsumers(tools, setup, state)
  const required = told.filter(({ consumer }) => consumer.required)
  const behind = required.filter(({ seen }) => seen.phase !== 'drained')
  const use = await (setup.rotator.sessions ?? setup.rotator.issuer)?.usage(context, entry.id)
  const after = withUsage(entry, use, now)
  const closed = (phase: 'waiting' | 'undeclared', why: string): Verdict => forcedOr(setup, now, { ...after, state: phase }, told, why)
  if (behind.length > 0)
    return closed('waiting', `not yet on the current version: ${behind.map(({ consumer }) => consumer.key).join(', ')}`)
  if (use?.inUse === true) return closed('waiting', `still in use: ${use.evidence}`)
  // A companion that is written proves nothing of who reads it: it closes the gate, and never opens it.
  if (required.some(({ consumer }) => consumer.kind !== companionKind))
    return { open: true, forced: false, why: 'every required consumer is drained', entry: after, told }
  const reason = unusedFor(after, use, setup.settings.graceMs, now)
  if (reason !== undefined) return { open: true, forced: false, why: reason, entry: after, told }
  const lasting = after.seenInUse !== undefined && after.unusedSince !== undefined
  return lasting
    ? closed('waiting', `unused since ${new Date(after.unusedSince ?? now).toISOString()}; armed when grace is over`)
    : closed(
        'undeclared',
        `nobody is named and nobody was seen${use ? ` (${use.evidence})` : ''}: not armed; its slot may be used again after grace`,
      )
}

/** Asked again now, each of them: what was noted before may be stale. */
async function askConsumers(tools: Tools, { consumers }: Setup, state: SecretState): Promise<readonly Delivery[]> {
  const { current } = state
  if (current === undefined) return []
  const change = changeOf(state, current)
  const told: Delivery[] = []
  for (const consumer of consumers.filter((one: Consumer) => one.required))
    told.push(await askNow(tools, change, consumer, state.journal?.seen?.[consumer.key]))
  return told
}

/** One that asked to be left alone until later (Retry-After) is not drained before it said so. */
async function askNow(tools: Tools, change: Change, consumer: Consumer, before: Seen | undefined): Promise<Delivery> {
  const wait = before?.version === change.version && before.phase === 'failed' && (before.again ?? 0) > tools.deps.env.now()
  return wait ? { consumer, seen: before, evidence: 'asked to wait' } : deliver(tools, change, consumer, before)
}

/** Only sessions that last are noted as seen, and only their end starts the clock. */
function withUsage(entry: Retiring, use: Usage | undefined, now: number): Retiring {
  const { unusedSince, ...rest } = entry
  if (use?.inUse === true) return use.lasting === false ? rest : { ...rest, seenInUse: now }
  if (use?.inUse !== false || entry.seenInUse === undefined) return rest
  return { ...rest, unusedSince: unusedSince ?? now }
}

function unusedFor(entry: Retiring, use: Usage | undefined, graceMs: number, now: number): string | undefined {
  if (use?.inUse !== false) return undefined
  if (use.lastUsedAt !== undefined && use.lastUsedAt >= 0) {
    return now >= Math.max(use.lastUsedAt, entry.since) + graceMs ? `last used ${new Date(use.lastUsedAt).toISOString()}` : undefined
  }
  const seenAfter = entry.seenInUse !== undefined && entry.seenInUse >= entry.since
  return seenAfter && entry.unusedSince !== undefined && now >= entry.unusedSince + graceMs
    ? `its sessions were seen and have ended: none since ${new Date(entry.unusedSince).toISOString()}`
    : undefined
}

function forcedOr({ settings }: Setup, now: number, entry: Retiring, told: readonly Delivery[], why: string): Verdict {
  const { forceAfterMs } = settings
  const forced = forceAfterMs !== undefined && entry.state === 'waiting' && now >= entry.since + forceAfterMs
  return { open: forced, forced, why: forced ? `keyturn-drain: force, although ${why}` : why, entry, told }
}
