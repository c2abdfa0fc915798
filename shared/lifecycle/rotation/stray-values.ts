import { optional } from '../../core/optional.js'
import type { ClaimWish, SecretState, Staged } from '../../core/ports/store.js'
import type { Action } from '../decide/action.js'
import { wishFor } from '../secret/plain-put.js'
import { publishAgain } from '../secret/publish-again.js'
import type { Known, Tools } from '../secret/setup.js'
import { isByAnswer } from './by-answer.js'
import { giveUpValue, markStuck } from './refused-value.js'
import { type Pending, readPending } from './steps.js'
import { openWork, type Work } from './work.js'

type Probe = Extract<Action, { do: 'probe' }>

/**
 * Looks at staged values that no journal names, under an exclusive claim. It continues with one of those on the current base, and never throws that
 * away: a process that lost its journal may still be about to set it, and then both set the same. It gives up a leftover of another base only when
 * current is accepted. The caller decides again afterwards.
 */
export async function probe(tools: Tools, setup: Known, state: SecretState, action: Probe): Promise<void> {
  const { store } = tools
  const [newest] = [...action.versions].sort((a, b) => b.createdAt - a.createdAt)
  if (newest === undefined) return
  const wish: ClaimWish = { ...wishFor(tools, newest), ...overOf(state, action, newest) }
  if (!action.leftover && action.versions.length === 1) {
    await store.claim(state, { ...wish, continueWith: newest.id }) // no login: set tries current first, and then this
    return
  }
  // Where nothing is open it is claimed as a put: nobody continues with a put that has no value, so clearing away starts no rotation.
  const rotation = state.journal?.rotation
  const nothingOpen = rotation === undefined || rotation.published !== undefined
  const claim = await store.claim(state, action.leftover && nothingOpen ? { ...wish, kind: 'put' } : wish)
  const onCurrent = { ...claim, base: state.current?.id ?? null }
  const work = await openWork(tools, setup, { ...state, pending: newest }, onCurrent)
  if (action.leftover) {
    return dropLeftover(work, setup, await readPending(work, newest.id), state)
  }
  const chosen = await chooseOne(work, action.versions, newest)
  const replaces = chosen.token === newest.token ? undefined : newest.token
  const after = await store.describe(state.ref)
  await store.claim(after, { ...wishFor(tools, chosen), ...optional('replaces', replaces), continueWith: chosen.id })
}

function overOf(state: SecretState, action: Probe, staged: Staged): { replaces?: Staged['token'] } {
  const open = state.journal?.rotation
  const openToken = open && open.published === undefined ? open.token : undefined
  const replaces = action.replaces ?? openToken
  return replaces === undefined || replaces === staged.token ? {} : { replaces }
}

/** Of several staged values: the one that the target accepts already, or the newest while current works. One login for each. Where none can be tried, the newest: it is set in any case. */
async function chooseOne(work: Work, versions: readonly Staged[], newest: Staged): Promise<Staged> {
  const { rotator, context } = work
  if (isByAnswer(work)) return newest
  for (const staged of versions) {
    const { value } = await readPending(work, staged.id)
    if (await rotator.accepted(context, value)) return staged
  }
  if (await acceptsCurrent(work)) return newest
  return markStuck(work, 'The target accepts neither the current credential nor any staged one that was found.')
}

async function dropLeftover(work: Work, setup: Known, { version, value: pending, text }: Pending, before: SecretState): Promise<void> {
  const { rotator, context, tools, claim } = work
  if (isByAnswer(work)) {
    // A rotation of ours has set what is current after this one, which could be set only while its own lease lasted. A copy of current is no other value.
    const isSettled = before.current?.ours !== undefined || work.baseText?.equals(text)
    if (isSettled) return void (await giveUpValue(work, version, pending))
    const why = 'Somebody published another value while a rotation was open, and no login can tell which one the target accepts.'
    return markStuck(work, why, `Run keyturn put ${context.ref.shown}: it sets the value that you give and publishes it.`)
  }
  if (await acceptsCurrent(work)) return void (await giveUpValue(work, version, pending))
  const alive = await rotator.accepted(context, pending)
  const now = await tools.store.describe(claim.ref)
  // An old add that came between our test and our publication is nobody's new value: what the target accepts takes its place.
  const isLate = now.current?.copiesOlder === true && now.current.id === claim.base
  if (alive && isLate && (await publishAgain(tools, setup, now, version))) return
  const what = alive ? 'only the pending one' : 'neither that nor the pending one'
  return markStuck(work, `Somebody published another value while a rotation was open, and the target accepts ${what}.`)
}

/** False where current is not a credential at all, such as a placeholder that somebody wrote past us. */
const acceptsCurrent = async ({ rotator, context }: Work): Promise<boolean> =>
  context.current !== undefined && rotator.accepted(context, context.current)
