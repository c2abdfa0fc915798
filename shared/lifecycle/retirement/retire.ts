import { codeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Context } from '../../core/ports/rotator.js'
import type { Retiring, SecretState } from '../../core/ports/store.js'
import type { CredentialId, SecretRef } from '../../core/ports/words.js'
import { seenBy } from '../consumers/deliver.js'
import { isDue } from '../decide/publication.js'
import { lookContext } from '../secret/context.js'
import type { Deps } from '../secret/deps.js'
import { isLostRace, lookAgain, type Opened, opened } from '../secret/open.js'
import { identitiesOf, retainedIds } from '../secret/outgoing.js'
import { assertConsumers, createTools, type Known, type Tools } from '../secret/setup.js'
import { askGate, type Verdict } from './gate.js'

/** What a pass did with one outgoing credential; `again` in epoch milliseconds. */
export interface Retired {
  readonly id: CredentialId
  readonly state: Retiring['state'] | 'retired' | 'current again'
  readonly why: string
  /** When it is worth asking again, where that is known. */
  readonly again?: number
}

const retireLeaseMs = 120_000
const marginMs = 30_000

/**
 * One pass over the credentials that left: asks the gate of each, arms what is open by compare-and-set on the state that the gate read, retires
 * it, and only then removes its entry. May run any number of times, also twice at once. Nothing while an announcement is due. It ends early, with
 * what is done, where others write all the time: they go on, and so does the next pass.
 */
export async function retirePass(deps: Deps, refText: string): Promise<{ readonly ref: SecretRef; readonly entries: readonly Retired[] }> {
  const tools = createTools(deps)
  const ref = await tools.store.resolve(refText)
  const done = new Map<CredentialId, Retired>()
  const next = async (): Promise<Retired | undefined> => settleNext(opened(tools, await tools.store.describe(ref)), done)
  try {
    for (let one = await lookAgain(ref.shown, next); one !== undefined; one = await lookAgain(ref.shown, next)) done.set(one.id, one)
  } catch (cause) {
    if (!isLostRace(cause)) throw cause
  }
  return { ref, entries: [...done.values()] }
}

/** undefined: each has been looked at, or nothing says what kind of credential it is. */
async function settleNext(
  { tools, state, setup: loadSetup }: Opened,
  done: ReadonlyMap<CredentialId, Retired>,
): Promise<Retired | undefined> {
  const entry = (state.journal?.retiring ?? []).find(({ id }) => !done.has(id))
  if (entry === undefined) return undefined
  const { rotator, ...setup } = await loadSetup()
  return rotator && settle(tools, { ...setup, rotator }, state, entry)
}

async function settle(tools: Tools, setup: Known, state: SecretState, entry: Retiring): Promise<Retired> {
  const { env, holder } = tools.deps
  const retained = await retainedIds(tools, setup, state)
  if (retained !== undefined) return settleRetained(tools, state, entry, retained)
  if (entry.holder !== undefined && entry.holder !== holder && (entry.leaseUntil ?? 0) > env.now())
    return { id: entry.id, state: entry.state, why: 'another process retires it', again: entry.leaseUntil ?? 0 }
  const live = await liveAs(tools, setup, state, entry)
  if (live === 'current') {
    await removeEntry(tools, state, entry)
    return { id: entry.id, state: 'current again', why: 'it is current, so nothing is retired' }
  }
  const busy = live === 'coming' ? 'a value for it is on its way' : busyWith(state, env.now())
  if (busy !== undefined && entry.state !== 'armed') return { id: entry.id, state: entry.state, why: busy }
  if (entry.state === 'disabled' && env.now() < entry.notBefore)
    return { id: entry.id, state: 'disabled', why: 'it is disabled and ends later', again: entry.notBefore }
  if (entry.state === 'armed' || entry.state === 'disabled') return carryOut(tools, setup, state, entry, undefined)
  assertConsumers(setup)
  const verdict = await askGate(tools, setup, state, entry, await retireContext(tools, setup, state))
  if (!verdict.open) return keep(tools, state, entry, verdict)
  if (env.now() < entry.notBefore) {
    const kept = await keep(tools, state, entry, verdict)
    return { ...kept, why: `${verdict.why}; grace is not over`, again: entry.notBefore }
  }
  return carryOut(tools, setup, withSeen(state, verdict), verdict.entry, verdict)
}

/** Nothing is ended here: the next rotation leaves out what is armed, and then its entry goes. */
async function settleRetained(tools: Tools, state: SecretState, entry: Retiring, retained: readonly CredentialId[]): Promise<Retired> {
  const { id } = entry
  if (!retained.includes(id)) {
    await removeEntry(tools, state, entry)
    return { id, state: 'retired', why: 'it left the value with a rotation' }
  }
  if (entry.state === 'armed') return { id, state: 'armed', why: 'it leaves the value with the next rotation' }
  return { id, state: entry.state, why: `it decrypts until keyturn reencrypted ${state.ref.shown} --key ${id}` }
}

/** Why nothing may be armed now: who goes on may be about to use the account again; the leftover of an older rotation blocks nothing. */
export function busyWith(state: SecretState, now: number): string | undefined {
  const { journal, pending, loose, current } = state
  if (journal?.code !== undefined) return `it is ${journal.code}: what left may be the only credential that works`
  if (isDue(state)) return 'an announcement is due'
  const open = journal?.rotation?.published === undefined ? journal?.rotation : undefined
  const mayGoOn = open !== undefined && (open.base === current?.id || current?.ours === open.token || open.leaseUntil > now)
  return mayGoOn || pending?.hasValue === true || loose.some(({ base }) => base === current?.id) ? 'a rotation is open' : undefined
}

const withSeen = (state: SecretState, { told }: Verdict): SecretState =>
  told.length === 0 ? state : { ...state, journal: { retiring: [], ...state.journal, seen: seenBy(told, state.journal?.seen) } }

/** Never retire what identifies as current, or as a value that may still become current. */
export async function liveAs(tools: Tools, setup: Known, state: SecretState, { id }: Retiring): Promise<'current' | 'coming' | undefined> {
  const { current, pending, loose } = state
  if (current?.hasValue && (await identitiesOf(tools, setup, state, current.id))?.includes(id)) return 'current'
  for (const info of [pending, ...loose.filter(({ base }) => base === current?.id)])
    if (info?.hasValue && (await identitiesOf(tools, setup, state, info.id))?.includes(id)) return 'coming'
  return undefined
}

/** Makes the context for retiring: reads the current value, and holds no claim. */
export async function retireContext(tools: Tools, setup: Known, state: SecretState): Promise<Context<unknown>> {
  const context = await lookContext(tools, setup, state)
  const { rotator, policy } = setup
  const current = state.current && rotator.parse(await tools.store.read(state.ref, state.current.id), policy)
  return {
    ...context,
    publishedAt: state.publishedAt,
    endSessions: rotator.sessions?.endOnRetire(policy) ?? false,
    ...optional('current', current),
  }
}

/** armed, retired, version made unreadable, entry removed: in this order, each repeatable. `why` of force stands in the audit log. */
export async function carryOut(
  tools: Tools,
  setup: Known,
  state: SecretState,
  entry: Retiring,
  verdict: Pick<Verdict, 'why' | 'forced'> | undefined,
  more: Pick<Context<unknown>, 'endSessions'> = {},
): Promise<Retired> {
  const { env, holder } = tools.deps
  const leaseUntil = env.now() + retireLeaseMs
  const armed: Retiring = { ...entry, state: entry.state === 'disabled' ? 'disabled' : 'armed', holder, leaseUntil }
  const others = (state.journal?.retiring ?? []).filter(({ id }) => id !== entry.id)
  const seen = state.journal?.seen === undefined ? {} : { seen: state.journal.seen }
  await tools.store.note(state, { retiring: [...others, armed], ...seen })
  const after = await tools.store.describe(state.ref)
  // Where the journal is another object than the value, its revision does not cover a value that somebody wrote since the gate looked.
  if ((await liveAs(tools, setup, after, entry)) === 'current') {
    await removeEntry(tools, after, armed)
    return { id: entry.id, state: 'current again', why: 'somebody made it current again' }
  }
  const context = { ...(await retireContext(tools, setup, state)), ...more, deadline: leaseUntil - marginMs }
  const progress = await setup.rotator.retire({ ...context, ...(verdict?.forced ? { reason: verdict.why } : {}) }, entry.id)
  if (!progress.done) {
    await tools.store.note(after, { retiring: [...others, { ...armed, state: 'disabled', leaseUntil: 0, notBefore: progress.again }] })
    return { id: entry.id, state: 'disabled', why: `it is disabled and ends later (${progress.why})`, again: progress.again }
  }
  await disposeOf(tools, after, entry)
  await removeEntry(tools, await tools.store.describe(state.ref), armed)
  return { id: entry.id, state: 'retired', why: verdict?.why ?? 'it had been armed before' }
}

async function disposeOf(tools: Tools, state: SecretState, { version }: Retiring): Promise<void> {
  try {
    await tools.store.dispose(state.ref, version)
  } catch (cause) {
    if (codeOf(cause) !== 'not_found') throw cause
  }
}

/** This very entry, not one that the same account got since. */
async function removeEntry(tools: Tools, state: SecretState, { id, version, holder }: Retiring): Promise<void> {
  const retiring = state.journal?.retiring ?? []
  const others = retiring.filter((entry) => !(entry.id === id && entry.version === version && entry.holder === holder))
  if (others.length < retiring.length) await tools.store.note(state, { retiring: others })
}

/** What was found out stays: without it the next look would begin anew. */
async function keep(tools: Tools, state: SecretState, entry: Retiring, { entry: found, told, why }: Verdict): Promise<Retired> {
  const retiring = (state.journal?.retiring ?? []).map((one) => (one.id === entry.id ? found : one))
  const changed = JSON.stringify(found) !== JSON.stringify(entry)
  const seen = seenBy(told, state.journal?.seen)
  const moved = told.some(({ consumer, seen: one }) => state.journal?.seen?.[consumer.key]?.phase !== one.phase)
  if (changed || moved) await tools.store.note(state, { retiring, ...(told.length > 0 ? { seen } : {}) })
  return { id: entry.id, state: found.state, why, ...(found.notBefore > tools.deps.env.now() ? { again: found.notBefore } : {}) }
}
