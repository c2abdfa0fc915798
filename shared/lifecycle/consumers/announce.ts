import { aheadOf } from '../../core/clock.js'
import { codeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Change, Consumer } from '../../core/ports/notifier.js'
import type { Retiring, SecretState, Seen } from '../../core/ports/store.js'
import type { SecretRef, VersionId } from '../../core/ports/words.js'
import { placeLostError } from '../../core/unfenced/errors.js'
import { askedAnew } from '../decide/asking.js'
import { changeOf, isDue, sequenceNote } from '../decide/publication.js'
import { mustReckon } from '../decide/reckoned.js'
import { confirmUnknown } from '../secret/confirm.js'
import type { Deps } from '../secret/deps.js'
import { withSecret } from '../secret/open.js'
import { entriesDue, identitiesOf } from '../secret/outgoing.js'
import { assertConsumers, type Setup, type Tools } from '../secret/setup.js'
import { mustProve, proveCurrent } from './contested.js'
import { type Delivery, deliver, saysElse, seenBy, wasTold } from './deliver.js'
import { isOver, isProgressing, mayMove, moveBefore, refusedBefore } from './moving.js'

/** How one announce pass ended; `told` also lists who was told before. */
export interface Announced {
  readonly ref: SecretRef
  /** none: nothing was due · announced: every consumer was told · waiting: some could not be notified yet · unnoted: told, and this role may not write notes. */
  readonly outcome: 'none' | 'announced' | 'waiting' | 'unnoted'
  readonly change?: Change
  readonly told: readonly Delivery[]
  /** How far ahead of this clock the publication is, where this pass noted that. */
  readonly aheadMs?: number
  /** When a consumer is to be looked at again, in epoch milliseconds, where this pass noted that: whoever reads it has won, and nobody else has. */
  readonly again?: number
}

/**
 * One announce pass. It tells every consumer about the current value, and only then notes that, together with the retiring entry of what left, in
 * one write. Repeatable: a crash in between costs a repeated event with the same id. Where a publication is overtaken meanwhile, each consumer that
 * heard of it hears of the newer one once more, so that the newer one is the last it hears of. bad_config for a consumer that nobody configured.
 */
export async function announce(deps: Deps, refText: string): Promise<Announced> {
  let before: { readonly version: VersionId; readonly told: readonly Delivery[] } | undefined
  let isReckoned = !deps.journal
  let aheadMs: number | undefined
  const announced = await withSecret<Announced>(deps, refText, {}, async ({ tools, ref, state, setup: loadSetup }) => {
    const now = deps.env.now()
    if (state.placeLost) throw placeLostError(ref) // what cannot be noted would be repeated by every pass
    const due = isDue(state) || refusedBefore(state, now) || isProgressing(state, now)
    const isOld = !isReckoned && mustReckon(state, now)
    if (due || isOld) await confirmUnknown(tools, state)
    if (isOld) {
      const isNoted = await reckon(tools, state)
      isReckoned = true // once: where notes are denied, its times stay as they are
      if (isNoted) {
        aheadMs = aheadOf(state.publishedAt, now)
        return 'again'
      }
    }
    const { current, journal } = state
    const overtaken = before !== undefined && before.version !== current?.id ? before.told : []
    if (current === undefined) return { ref, outcome: 'none', told: [] }
    if (!due && overtaken.length === 0) return { ref, outcome: 'none', told: [] }
    const setup = await loadSetup()
    assertConsumers(setup)
    if (mustProve(state)) {
      if (journal?.code !== undefined) return { ref, outcome: 'waiting', told: [] } // no login before a person has looked
      if ((await proveCurrent(tools, setup, state)) === 'again') return 'again'
    }
    const change = changeOf(state, current)
    const told = await deliverAll(tools, setup, state, change, overtaken)
    if (!due) return { ref, change, told, outcome: 'announced' } // another pass has noted it
    const isNews = ({ consumer, seen }: Delivery): boolean => seen !== journal?.seen?.[consumer.key]
    before = { version: current.id, told: told.filter(isNews) }
    try {
      const { outcome, isNoted } = await noteAnnounced(tools, setup, state, told)
      return { ref, change, told, outcome, ...optional('again', isNoted ? nextLook(told) : undefined) }
    } catch (cause) {
      if (codeOf(cause) !== 'denied') throw cause
      return { ref, change, told, outcome: 'unnoted' }
    }
  })
  return { ...announced, ...optional('aheadMs', aheadMs) }
}

/** When the first of the consumers may be further. */
function nextLook(told: readonly Delivery[]): number | undefined {
  const times = told.flatMap(({ seen }) => moveBefore(seen, Number.POSITIVE_INFINITY) ?? [])
  return times.length === 0 ? undefined : Math.min(...times)
}

/** Notes that the publication is from the future, or at a time that nobody knows, so that what counts from it counts from now. False where this role may not write notes. */
async function reckon(tools: Tools, state: SecretState): Promise<boolean> {
  if (state.current === undefined) return false
  try {
    const at = tools.deps.env.now()
    await tools.store.note(state, { reckoned: { version: state.current.id, at, ...optional('sequence', state.undated?.at) } })
    return true
  } catch (cause) {
    if (codeOf(cause) !== 'denied') throw cause
    return false
  }
}

/** Tells the consumers, except those that took the change already, and those that asked to wait and whose time is not over. */
async function deliverAll(
  tools: Tools,
  { consumers }: Setup,
  { journal }: SecretState,
  change: Change,
  overtaken: readonly Delivery[],
): Promise<readonly Delivery[]> {
  const told: Delivery[] = []
  const now = () => tools.deps.env.now()
  for (const consumer of consumers) {
    const before = journal?.seen?.[consumer.key]
    const same = before?.version === change.version ? before : undefined
    const older = overtaken.some((one) => one.consumer.key === consumer.key)
    const settled = same !== undefined && !older && isSettled(same, consumer, now())
    if (settled) told.push({ consumer, seen: same, evidence: notedBefore(same) })
    else told.push(await deliver(tools, change, consumer, same, consumers))
  }
  return told
}

/** Whether there is nothing to tell now: the consumer took the change, or its pause is not over. */
function isSettled(seen: Seen, { required }: Consumer, now: number): boolean {
  const waits = seen.again !== undefined && !isOver(seen, now)
  const askAgain = seen.code === 'delivery_refused' && required && !waits
  if (askAgain || mayMove(seen, now)) return false
  return wasTold(seen) || waits
}

function notedBefore({ phase, code, again, evidence }: Seen): string {
  if (phase !== 'failed' || again === undefined) return evidence ?? 'as noted before'
  const reason = evidence ?? code
  return `could not be notified${reason === undefined ? '' : ` (${reason})`}, asked again at ${new Date(again).toISOString()}`
}

/** Whether a delivery is worth a write: another phase, obstacle or reason, or a longer pause that the consumer asks for. Another look alone is not. */
function hasMoved({ deps }: Tools, { consumer, seen }: Delivery, { journal }: SecretState): boolean {
  const before = journal?.seen?.[consumer.key]
  if (deps.looksAgain && before?.again !== seen.again) return true
  if (before?.version !== seen.version || before.phase !== seen.phase || before.code !== seen.code) return true
  if (saysElse(before, seen)) return true
  return seen.phase === 'failed' && (seen.again ?? 0) > (before.again ?? 0)
}

/** Notes what was told, if that is worth a write. */
async function noteAnnounced(
  tools: Tools,
  setup: Setup,
  state: SecretState,
  told: readonly Delivery[],
): Promise<{ readonly outcome: 'announced' | 'waiting'; readonly isNoted: boolean }> {
  const { current, journal } = state
  if (current !== undefined && journal && !isDue(state)) {
    return { outcome: 'announced', isNoted: await noteMoves(tools, state, journal.seen ?? {}, told) }
  }
  const seen = told.length === 0 ? {} : { seen: seenBy(told, journal?.seen) }
  const { forceAfterMs } = setup.settings
  const leftBehind = forceAfterMs !== undefined && tools.deps.env.now() >= state.publishedAt + forceAfterMs
  const isDone = leftBehind || told.every((one) => wasTold(one.seen))
  if (current === undefined || !isDone) {
    const isNoted = told.some((one) => hasMoved(tools, one, state))
    if (isNoted)
      await tools.store.note(state, { ...askedAnew(state), ...seen, ...optional('sequence', current && sequenceNote(state, current)) })
    return { outcome: 'waiting', isNoted }
  }
  const retiring = await retiringAfter(tools, setup, state, current.id)
  await tools.store.note(state, { announced: current.id, sequence: sequenceNote(state, current), retiring, ...seen })
  return { outcome: 'announced', isNoted: true }
}

/** Notes how far the consumers are after the announcement. The entry of a consumer that is no longer named goes: it would keep the sweep looking for ever. */
async function noteMoves(
  tools: Tools,
  state: SecretState,
  before: Readonly<Record<string, Seen>>,
  told: readonly Delivery[],
): Promise<boolean> {
  const isNamed = (key: string): boolean => told.some(({ consumer }) => consumer.key === key)
  const gone = Object.keys(before).some((key) => !isNamed(key))
  if (!gone && !told.some((one) => hasMoved(tools, one, state))) return false
  const kept = Object.entries(seenBy(told, before)).filter(([key]) => isNamed(key))
  await tools.store.note(state, { ...askedAnew(state), seen: Object.fromEntries(kept) })
  return true
}

async function retiringAfter(
  tools: Tools,
  { rotator, ...setup }: Setup,
  state: SecretState,
  current: VersionId,
): Promise<readonly Retiring[]> {
  if (rotator === undefined) return state.journal?.retiring ?? []
  const known = { ...setup, rotator }
  const ids = await identitiesOf(tools, known, state, current)
  return entriesDue(tools, known, state, ids)
}
