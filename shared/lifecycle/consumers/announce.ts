import { codeOf } from '../../core/errors.js'
import type { Change } from '../../core/ports/notifier.js'
import type { SecretState, SecretView, Seen } from '../../core/ports/store.js'
import type { SecretRef, VersionId } from '../../core/ports/words.js'
import { changeOf, isDue } from '../decide/publication.js'
import type { Deps } from '../secret/deps.js'
import { withSecret } from '../secret/open.js'
import { entriesDue, identitiesOf } from '../secret/outgoing.js'
import { assertConsumers, type Setup, type Tools } from '../secret/setup.js'
import { type Delivery, deliver, seenBy, wasTold } from './deliver.js'

/** How one announce pass ended; `told` also lists who was told before. */
export interface Announced {
  readonly ref: SecretRef
  /** none: nothing was due · announced: every consumer was told · waiting: some could not be told yet · unnoted: told, but this role may not write notes. */
  readonly outcome: 'none' | 'announced' | 'waiting' | 'unnoted'
  readonly change?: Change
  readonly told: readonly Delivery[]
}

/**
 * One announce pass: tells every consumer of what is current, and only then notes it, together with the retiring entry of what left, in one
 * write. Repeatable: a crash in between costs a repeated event with the same id. Whom it told of a publication that was overtaken meanwhile hears
 * of the newer one once more, so that the older one was not the last. bad_config for a consumer that nobody configured.
 */
export async function announce(deps: Deps, refText: string): Promise<Announced> {
  let before: { readonly version: VersionId; readonly told: readonly Delivery[] } | undefined
  return withSecret(deps, refText, {}, async ({ tools, ref, state, setup: loadSetup }) => {
    const { current } = state
    const overtaken = before !== undefined && before.version !== current?.id ? before.told : []
    const due = isDue(state) || refusedBefore(state, deps.env.now()) || isProgressing(state, deps.env.now())
    if (current === undefined || !(due || overtaken.length > 0)) return { ref, outcome: 'none', told: [] }
    const setup = await loadSetup()
    assertConsumers(setup)
    const change = changeOf(state, current)
    const told = await tellAll(tools, setup, state, change, overtaken)
    if (!due) return { ref, change, told, outcome: 'announced' } // another pass has noted it
    before = { version: current.id, told: told.filter((one) => one.seen !== state.journal?.seen?.[one.consumer.key]) }
    try {
      return { ref, change, told, outcome: await noteAnnounced(tools, setup, state, told) }
    } catch (cause) {
      if (codeOf(cause) !== 'denied') throw cause
      return { ref, change, told, outcome: 'unnoted' }
    }
  })
}

/** A required consumer that refused current (410) may have been put right: it is asked again once an hour, also after everybody was told. */
export const refusedBefore = ({ journal, current }: SecretView, now: number): boolean =>
  Object.values(journal?.seen ?? {}).some(
    ({ version, code, again }) => version === current?.id && code === 'delivery_refused' && again !== undefined && again <= now,
  )

/** Somebody was told and is on the way: it is looked how far, whether or not a credential waits for it. A rollout has no other driver. */
export const isProgressing = ({ journal, current }: SecretView, now: number): boolean =>
  Object.values(journal?.seen ?? {}).some((seen) => seen.version === current?.id && mayMove(seen, now))
const mayMove = ({ phase, code, again }: Seen, now: number): boolean =>
  again !== undefined && again <= now && phase !== 'drained' && code !== 'delivery_refused'

/** Those that took it already are not told again, and those that asked to wait are not yet. */
async function tellAll(
  tools: Tools,
  { consumers }: Setup,
  { journal }: SecretState,
  change: Change,
  overtaken: readonly Delivery[],
): Promise<readonly Delivery[]> {
  const told: Delivery[] = []
  for (const consumer of consumers) {
    const before = journal?.seen?.[consumer.key]
    const same = before?.version === change.version ? before : undefined
    const waits = (same?.again ?? 0) > tools.deps.env.now()
    const refused = same?.code === 'delivery_refused' && consumer.required && !waits
    const older = overtaken.some((one) => one.consumer.key === consumer.key)
    const settled = same !== undefined && !refused && !older && !mayMove(same, tools.deps.env.now()) && (wasTold(same) || waits)
    told.push(settled ? { consumer, seen: same, evidence: notedBefore(same) } : await deliver(tools, change, consumer, same))
  }
  return told
}

const notedBefore = ({ phase, code, again }: Seen): string =>
  phase !== 'failed' || again === undefined
    ? 'as noted before'
    : `could not be told${code === undefined ? '' : ` (${code})`}, asked again at ${new Date(again).toISOString()}`

/** Worth a write: another phase or obstacle, or somebody who asks to be left alone for longer. That it was looked once more is not. */
function hasMoved({ consumer, seen }: Delivery, { journal }: SecretState): boolean {
  const before = journal?.seen?.[consumer.key]
  if (before?.version !== seen.version || before.phase !== seen.phase || before.code !== seen.code) return true
  return seen.phase === 'failed' && (seen.again ?? 0) > (before.again ?? 0)
}

async function noteAnnounced(tools: Tools, setup: Setup, state: SecretState, told: readonly Delivery[]): Promise<'announced' | 'waiting'> {
  const { current } = state
  const seen = told.length === 0 ? {} : { seen: seenBy(told, state.journal?.seen) }
  if (current !== undefined && state.journal?.announced === current.id) {
    const named = (key: string): boolean => told.some(({ consumer }) => consumer.key === key)
    // Of a consumer that is not named any more nobody hears again: its entry would keep the sweep looking for ever.
    const kept = Object.fromEntries(Object.entries(seen.seen ?? state.journal.seen ?? {}).filter(([key]) => named(key)))
    const gone = Object.keys(state.journal.seen ?? {}).some((key) => !named(key))
    if (gone || told.some((one) => hasMoved(one, state))) await tools.store.note(state, { seen: kept })
    return 'announced'
  }
  const leftBehind = setup.settings.forceAfterMs !== undefined && tools.deps.env.now() >= state.publishedAt + setup.settings.forceAfterMs
  if (current === undefined || !(leftBehind || told.every((one) => wasTold(one.seen)))) {
    if (told.some((one) => hasMoved(one, state))) await tools.store.note(state, seen)
    return 'waiting'
  }
  const { rotator } = setup
  const retiring = rotator
    ? await entriesDue(tools, { ...setup, rotator }, state, await identitiesOf(tools, { ...setup, rotator }, state, current.id))
    : (state.journal?.retiring ?? [])
  await tools.store.note(state, { announced: current.id, retiring, ...seen })
  return 'announced'
}
