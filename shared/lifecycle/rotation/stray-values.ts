import type { ClaimWish, SecretState, Staged } from '../../core/ports/store.js'
import type { Action } from '../decide/action.js'
import { wishFor } from '../secret/plain-put.js'
import type { Known, Tools } from '../secret/setup.js'
import { giveUpValue, markStuck } from './refused-value.js'
import { readPending } from './steps.js'
import { openWork, type Work } from './work.js'

type Probe = Extract<Action, { do: 'probe' }>

/**
 * Looks at staged values that nobody stands for, under an exclusive claim. On the current base one of them is gone on with, never thrown away:
 * a process that lost its journal may still be about to set it, and then both set the same. A leftover of another base is given up only when
 * current is accepted. The caller decides anew afterwards.
 */
export async function probe(tools: Tools, setup: Known, state: SecretState, action: Probe): Promise<void> {
  const newest = [...action.versions].sort((a, b) => b.createdAt - a.createdAt)[0]
  if (newest === undefined) return
  const wish: ClaimWish = { ...wishFor(tools, newest), ...overOf(state, action, newest) }
  if (!action.leftover && action.versions.length === 1) {
    await tools.store.claim(state, { ...wish, continueWith: newest.id }) // no login: set tries current first, and then this
    return
  }
  // Claimed as a put where nothing is open: of a put without a value nothing is gone on with, so that clearing away starts no rotation.
  const nothingOpen = state.journal?.rotation === undefined || state.journal.rotation.published !== undefined
  const claim = await tools.store.claim(state, action.leftover && nothingOpen ? { ...wish, kind: 'put' } : wish)
  const work = await openWork(tools, setup, { ...state, pending: newest }, { ...claim, base: state.current?.id ?? null })
  if (action.leftover) {
    const pending = await readPending(work, newest.id)
    return dropLeftover(work, pending.version, pending.value)
  }
  const chosen = await chooseOne(work, action.versions, newest)
  const replaces = chosen.token === newest.token ? {} : { replaces: newest.token }
  await tools.store.claim(await tools.store.describe(state.ref), { ...wishFor(tools, chosen), ...replaces, continueWith: chosen.id })
}

const overOf = (state: SecretState, action: Probe, staged: Staged): { replaces?: Staged['token'] } => {
  const open = state.journal?.rotation
  const replaces = action.replaces ?? (open && open.published === undefined ? open.token : undefined)
  return replaces === undefined || replaces === staged.token ? {} : { replaces }
}

/** Several: the one that the target accepts already; else, while current works, the newest. One login each. */
async function chooseOne(work: Work, versions: readonly Staged[], newest: Staged): Promise<Staged> {
  const { rotator, context } = work
  for (const staged of versions) {
    if (await rotator.accepted(context, (await readPending(work, staged.id)).value)) return staged
  }
  if (await rotator.accepted(context, context.current)) return newest
  return markStuck(work, 'Neither the current credential nor any staged one that was found is accepted.')
}

async function dropLeftover(work: Work, version: Staged['id'], pending: unknown): Promise<void> {
  const { rotator, context } = work
  if (await rotator.accepted(context, context.current)) return void (await giveUpValue(work, version, pending))
  const alive = await rotator.accepted(context, pending)
  const why = alive
    ? 'Somebody published another value while a rotation was open: the target accepts only the pending one.'
    : 'Somebody published another value while a rotation was open, and the target accepts neither that nor the pending one.'
  return markStuck(work, why)
}
