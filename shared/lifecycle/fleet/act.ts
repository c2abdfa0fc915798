import { codeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import { showDuration } from '../../core/policy/index.js'
import type { Code } from '../../core/ports/errors.js'
import type { FleetAction, Work } from '../../core/ports/queue.js'
import type { RotationRequest, VersionId } from '../../core/ports/words.js'
import { announce } from '../consumers/announce.js'
import { type Answered, answersOf, firstToCorrect } from '../consumers/answers.js'
import { repairCompanions } from '../consumers/companions.js'
import { preflightPass } from '../consumers/preflight.js'
import { retirePass } from '../retirement/retire.js'
import { rotate } from '../rotation/rotate.js'
import { lookError, shownLook, verifyCurrent } from '../secret/adopt.js'
import type { Deps } from '../secret/deps.js'
import { noteLook } from '../secret/last-look.js'
import { openSecret } from '../secret/open.js'

/** Says that a publication is from the future. */
export const aheadText = (aheadMs: number): string => `published ${showDuration(aheadMs)} ahead of this clock`

/** What an action did. undefined: there was nothing to do after all. */
export interface Acted {
  readonly outcome: string
  /** That of a consumer that a person has to correct. */
  readonly code?: Code
  /** The names of the fields that a rotation has rewritten. */
  readonly rewrote?: readonly string[]
  /** What each consumer answered to an announcement. */
  readonly consumers?: readonly Answered[]
  /** When a consumer is to be looked at again, in epoch milliseconds. Only who noted that has it. */
  readonly again?: number
}

/** Does one action of one secret, and decides from fresh state whether it is still to be done. Throws what the action throws. */
export async function act(deps: Deps, { ref, action, at, whole, version: noticed }: Omit<Work, 'id'>): Promise<Acted | undefined> {
  if (action === 'check') return { outcome: await check(deps, ref) }
  if (action === 'announce') return announcePass(deps, ref, at)
  if (action === 'retire') {
    const { entries } = await retirePass(deps, ref)
    return listOf(entries.map(({ id, state, why }) => `${id} ${state}: ${why}`))
  }
  if (action === 'companions') {
    const repaired = await repairCompanions(deps, ref, whole === true)
    return listOf(repaired.map(({ companion, says }) => `${companion}: ${says}`))
  }
  // An earlier delivery may have rotated, and not come to tell.
  if (noticed !== undefined && (await openSecret(deps, ref)).state.current?.id !== noticed) return announcePass(deps, ref, at)
  const checked = action === 'start' ? await preflightPass(deps, ref) : []
  const asked = askedOf(action, noticed)
  const { outcome, version, rewrote } = await rotate({ ...deps, checked }, { ...asked, ref, at })
  const told = await announce(deps, ref) // also of what an earlier delivery of this work published, and did not come to tell
  return {
    outcome: version === undefined ? outcome : `${outcome} ${version}`,
    ...optional('rewrote', rewrote),
    ...optional('again', told.again),
  }
}

const askedOf = (action: FleetAction, noticed: VersionId | undefined): Pick<RotationRequest, 'kind' | 'due' | 'since' | 'reason'> => {
  if (action === 'resume') return { kind: 'resume' }
  return noticed === undefined ? { kind: 'rotate', due: true } : { kind: 'rotate', since: true, reason: 'a notice of the platform' }
}

const listOf = (parts: readonly string[]): Acted | undefined => (parts.length === 0 ? undefined : { outcome: parts.join('; ') })

async function announcePass(deps: Deps, shown: string, at: number): Promise<Acted | undefined> {
  const { outcome, told, aheadMs, again } = await announce(deps, shown)
  const ahead = aheadMs === undefined ? [] : [`${aheadText(aheadMs)}; it counts from now`]
  if (outcome === 'none') return listOf(ahead)
  const behind = told.filter(({ seen }) => seen.phase === 'failed')
  const moving = told.filter(({ seen }) => seen.phase !== 'failed' && seen.at >= at)
  const text = [
    ...ahead,
    outcome,
    ...moving.map(({ consumer, seen, evidence }) => `${consumer.key} ${seen.phase}: ${evidence}`),
    ...behind.map(({ consumer, evidence }) => `${consumer.key}: ${evidence}`),
  ].join('; ')
  return { outcome: text, ...optional('code', firstToCorrect(told)), consumers: answersOf(told), ...optional('again', again) }
}

/** Finds drift: a stored value that no longer logs in, long before a rotation would find out. */
async function check(deps: Deps, shown: string): Promise<string> {
  await preflightPass(deps, shown)
  const looked = await verifyCurrent(deps, shown).catch((cause: unknown) => noteUnseen(deps, shown, cause))
  const wrong = lookError(looked)
  const { tools, state } = await openSecret(deps, shown)
  // What passes by itself, such as a full server, is looked at again by the next sweep. A refused password is tried once a day.
  const isDone = wrong?.remedy !== 'retry'
  await noteLook(tools, state, {
    version: looked.version,
    ...optional('code', wrong?.code),
    ...optional('expiresAt', looked.end?.at),
    ...(isDone ? { checkedAt: deps.env.now() } : {}),
  })
  if (wrong !== undefined) throw wrong
  return shownLook(looked)
}

/** Notes why the target could not be asked at all, and throws that. */
async function noteUnseen(deps: Deps, shown: string, cause: unknown): Promise<never> {
  const code = codeOf(cause)
  if (code?.startsWith('target_') || code === 'password_not_checked') {
    const { tools, state } = await openSecret(deps, shown)
    if (state.current !== undefined) await noteLook(tools, state, { version: state.current.id, code })
  }
  throw cause
}
