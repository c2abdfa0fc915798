import { isLeaseLive } from '../../core/clock.js'
import { codeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Context } from '../../core/ports/rotator.js'
import type { Retiring, SecretState, VersionInfo } from '../../core/ports/store.js'
import type { CredentialId, SecretRef } from '../../core/ports/words.js'
import { seenBy } from '../consumers/deliver.js'
import { isWorthAsking } from '../decide/asking.js'
import { endOf } from '../decide/reckoned.js'
import { confirmCurrent, confirmUnknown } from '../secret/confirm.js'
import { lookContext } from '../secret/context.js'
import type { Deps } from '../secret/deps.js'
import { endArming } from '../secret/lease.js'
import { isLostRace, lookAgain, type Opened, opened } from '../secret/open.js'
import { identitiesOf, isByConsumers, retainedIds } from '../secret/outgoing.js'
import { assertConsumers, createTools, type Tools } from '../secret/setup.js'
import { busyWith } from './busy.js'
import { askGate, type Looked, type Verdict } from './gate.js'

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

/** What one pass did. */
export interface RetirePass {
  readonly ref: SecretRef
  readonly entries: readonly Retired[]
}

/**
 * One pass over the credentials that left. It asks the gate of each, and arms what is open by compare-and-set on the state that the gate read. Then
 * it retires the credential, and only after that removes its entry. The pass may run any number of times, and twice at once. It does nothing while an
 * announcement is due. Where others keep writing, it ends early and returns what is done; the next pass does the rest.
 */
export async function retirePass(deps: Deps, refText: string): Promise<RetirePass> {
  const tools = createTools(deps)
  const ref = await tools.store.resolve(refText)
  const done = new Map<CredentialId, Retired>()
  const next = async (): Promise<Retired | undefined> => settleNext(opened(tools, await tools.store.describe(ref)), done)
  try {
    let one = await lookAgain(ref.shown, next)
    while (one !== undefined) {
      done.set(one.id, one)
      one = await lookAgain(ref.shown, next)
    }
  } catch (cause) {
    if (!isLostRace(cause)) throw cause
  }
  return { ref, entries: [...done.values()] }
}

/** undefined: every entry has been looked at, or nothing says what kind of credential it is. */
async function settleNext(
  { tools, state, setup: loadSetup }: Opened,
  done: ReadonlyMap<CredentialId, Retired>,
): Promise<Retired | undefined> {
  const entry = (state.journal?.retiring ?? []).find(({ id }) => !done.has(id))
  if (entry === undefined) return undefined
  await confirmUnknown(tools, state)
  const { rotator, ...setup } = await loadSetup()
  return rotator && settle({ tools, setup: { ...setup, rotator }, state }, entry)
}

async function settle(looked: Looked, entry: Retiring): Promise<Retired> {
  const { tools, setup, state } = looked
  const { env, holder } = tools.deps
  const { id, notBefore, leaseUntil = 0 } = entry
  const retained = await retainedIds(tools, setup, state)
  if (retained !== undefined) return settleRetained(looked, entry, retained)
  const isOthers = entry.holder !== undefined && entry.holder !== holder
  if (isOthers && isLeaseLive(leaseUntil, env.now()))
    return { id, state: entry.state, why: 'another process retires it', again: leaseUntil }
  const live = await liveAs(looked, entry)
  if (live === 'current') {
    await removeEntry(tools, state, entry)
    return { id, state: 'current again', why: 'it is current, so nothing is retired' }
  }
  const busy = live === 'coming' ? 'a value for it is on its way' : busyWith(state, env.now())
  if (busy !== undefined && entry.state !== 'armed') return { id, state: entry.state, why: busy }
  if (entry.state === 'disabled' && env.now() < notBefore)
    return { id, state: 'disabled', why: 'it is disabled and ends later', again: notBefore }
  if (entry.state === 'armed' || entry.state === 'disabled') return carryOut(looked, entry, undefined)
  return settleAtGate(looked, entry)
}

async function settleAtGate(looked: Looked, entry: Retiring): Promise<Retired> {
  const { tools, setup, state } = looked
  const { env } = tools.deps
  assertConsumers(setup)
  const end = endOf(state, entry, env.now())
  const verdict = await askGate(looked, entry, await retireContext(looked), end)
  if (!verdict.open) return keep(looked, entry, verdict)
  if (env.now() < end) {
    const kept = await keep(looked, entry, verdict)
    return { ...kept, why: `${verdict.why}; grace is not over`, again: end }
  }
  return carryOut({ tools, setup, state: withSeen(state, verdict) }, verdict.entry, verdict)
}

/** Of a secret that keeps its older keys. Nothing is ended here: the next rotation leaves out an armed key, and then its entry goes. */
async function settleRetained(looked: Looked, entry: Retiring, retained: readonly CredentialId[]): Promise<Retired> {
  const { tools, state } = looked
  const { id } = entry
  if (!retained.includes(id)) {
    await removeEntry(tools, state, entry)
    return { id, state: 'retired', why: 'it left the value with a rotation' }
  }
  if (entry.state === 'armed') return { id, state: 'armed', why: 'it leaves the value with the next rotation' }
  return { id, state: entry.state, why: `it decrypts until keyturn reencrypted ${state.ref.shown} --key ${id}` }
}

function withSeen(state: SecretState, { told }: Verdict): SecretState {
  const { journal } = state
  if (told.length === 0) return state
  const seen = seenBy(told, journal?.seen)
  return { ...state, journal: { retiring: [], ...journal, seen } }
}

/** Whether the credential is current, or in a value that may still become current: then it must not be retired. */
export async function liveAs({ tools, setup, state }: Looked, { id }: Retiring): Promise<'current' | 'coming' | undefined> {
  const { current, pending, loose } = state
  const has = async (info: Pick<VersionInfo, 'id' | 'hasValue'> | undefined): Promise<boolean> => {
    if (!info?.hasValue) return false
    const ids = await identitiesOf(tools, setup, state, info.id)
    return ids?.includes(id) === true
  }
  if (await has(current)) return 'current'
  const staged = loose.filter(({ base }) => base === current?.id)
  for (const info of [pending, ...staged]) if (await has(info)) return 'coming'
  return undefined
}

/** Makes the context for retiring: reads the current value, and holds no claim. */
export async function retireContext({ tools, setup, state }: Looked): Promise<Context<unknown>> {
  const context = await lookContext(tools, setup, state)
  const { rotator, policy } = setup
  const { current: info } = state
  const current = info && rotator.parse(await tools.store.read(state.ref, info.id), policy)
  return {
    ...context,
    publishedAt: state.publishedAt,
    endSessions: rotator.sessions?.endOnRetire(policy) ?? false,
    ...optional('current', current),
  }
}

/**
 * Four steps, in this order and each repeatable: the entry is armed, the credential is retired, its version is made unreadable, the entry is
 * removed. Where it is forced, the audit log records why.
 */
export async function carryOut(
  looked: Looked,
  entry: Retiring,
  verdict: Pick<Verdict, 'why' | 'forced'> | undefined,
  more: Pick<Context<unknown>, 'endSessions'> = {},
): Promise<Retired> {
  const { tools, state } = looked
  const { env, holder } = tools.deps
  const { id } = entry
  const armedState = entry.state === 'disabled' ? 'disabled' : 'armed'
  const armed: Retiring = { ...entry, state: armedState, holder, leaseUntil: env.now() + retireLeaseMs }
  const others = (state.journal?.retiring ?? []).filter((one) => one.id !== id)
  await confirmCurrent(tools, state)
  await tools.store.note(state, { retiring: [...others, armed], ...optional('seen', state.journal?.seen) })
  try {
    return await retireArmed(looked, entry, armed, verdict, more)
  } catch (cause) {
    await endArming(tools, state.ref, armed)
    throw cause
  }
}

async function retireArmed(
  looked: Looked,
  entry: Retiring,
  armed: Retiring,
  verdict: Pick<Verdict, 'why' | 'forced'> | undefined,
  more: Pick<Context<unknown>, 'endSessions'>,
): Promise<Retired> {
  const { tools, setup, state } = looked
  const { id } = entry
  const { leaseUntil = 0 } = armed
  const others = (state.journal?.retiring ?? []).filter((one) => one.id !== id)
  const after = await tools.store.describe(state.ref)
  // Where the store keeps the journal apart from the value, its revision does not cover a value that somebody wrote since the gate looked.
  await confirmUnknown(tools, after)
  const live = await liveAs({ tools, setup, state: after }, entry)
  if (live === 'current') {
    await removeEntry(tools, after, armed)
    return { id, state: 'current again', why: 'somebody made it current again' }
  }
  const context = { ...(await retireContext(looked)), ...more, deadline: leaseUntil - marginMs }
  const reason = verdict?.forced ? { reason: verdict.why } : {}
  const progress = await setup.rotator.retire({ ...context, ...reason }, id)
  if (!progress.done) {
    const { again } = progress
    const disabled: Retiring = { ...armed, state: 'disabled', leaseUntil: 0, notBefore: again }
    await tools.store.note(after, { retiring: [...others, disabled] })
    return { id, state: 'disabled', why: `it is disabled and ends later (${progress.why})`, again }
  }
  await disposeOf(tools, after, entry)
  await removeEntry(tools, await tools.store.describe(state.ref), armed)
  return { id, state: 'retired', why: verdict?.why ?? 'it had been armed before' }
}

async function disposeOf(tools: Tools, state: SecretState, { version }: Retiring): Promise<void> {
  try {
    await tools.store.dispose(state.ref, version)
  } catch (cause) {
    if (codeOf(cause) !== 'not_found') throw cause
  }
}

/** Removes this very entry, and not a newer one of the same account. */
async function removeEntry(tools: Tools, state: SecretState, { id, version, holder }: Retiring): Promise<void> {
  const retiring = state.journal?.retiring ?? []
  const isSame = (one: Retiring): boolean => one.id === id && one.version === version && one.holder === holder
  const others = retiring.filter((one) => !isSame(one))
  if (others.length < retiring.length) await tools.store.note(state, { retiring: others })
}

/** Notes what was found out: without it the next look would begin again. */
async function keep({ tools, state, setup }: Looked, entry: Retiring, verdict: Verdict): Promise<Retired> {
  const { told, why } = verdict
  const { journal } = state
  const now = tools.deps.env.now()
  const spans = { ...setup.settings, byConsumers: isByConsumers(setup) }
  // A store whose journal has one writer for each key has no room for it either.
  const isNoted = tools.store.traits.journalCas && isWorthAsking(state, spans, entry, now)
  const found = isNoted ? { ...verdict.entry, askedAt: now } : verdict.entry
  const retiring = (journal?.retiring ?? []).map((one) => (one.id === entry.id ? found : one))
  const changed = JSON.stringify(found) !== JSON.stringify(entry)
  const moved = told.some(({ consumer, seen }) => journal?.seen?.[consumer.key]?.phase !== seen.phase)
  const seen = told.length > 0 ? { seen: seenBy(told, journal?.seen) } : {}
  if (changed || moved) await tools.store.note(state, { retiring, ...seen })
  const again = found.notBefore > now ? found.notBefore : undefined
  return { id: entry.id, state: found.state, why, ...optional('again', again) }
}
