import { codeOf, messageOf, RotationError } from '../../core/errors.js'
import { deriveWorkId } from '../../core/ids.js'
import type { Code } from '../../core/ports/errors.js'
import type { Queue, Work } from '../../core/ports/queue.js'
import type { Listed, SecretView } from '../../core/ports/store.js'
import type { Deps } from '../secret/deps.js'
import { isCheckDue, isHourOf } from '../secret/schedule.js'
import { createTools, type Setup, type Tools } from '../secret/setup.js'
import { judge, judgeBy, judgeStopped } from './due.js'
import { KnownSetups } from './known-setups.js'
import type { Standing } from './standing.js'
import { notedView, viewOf } from './view.js'

/** What a look found of one secret: how much it sent, or why it could not be looked at. */
export interface Looked {
  readonly ref: string
  readonly sent: number
  /** How it stands with its schedule; absent where it could not be looked at. */
  readonly standing?: Standing
  readonly failure?: { readonly code: Code; readonly message: string }
}

/** Looks that begin in one interval name the same work by the same id. */
const intervalMs = 5 * 60_000

/** One look: where it sends what it finds, by what it names that, and what it has learned so far. */
interface Look {
  readonly tools: Tools
  readonly queue: Queue
  readonly cause: string
  readonly setups: KnownSetups
}

/**
 * Lists all managed secrets in constant memory, and sends what is due for each. No login, and a read only where nothing names the rotator. Where a listing
 * shows journals, only what is due by its journal is described. Two looks may run at once. A secret that cannot be looked at is in the answer and ends
 * nothing; what the queue or the listing throws ends the look.
 */
export async function* look(deps: Deps, queue: Queue): AsyncIterable<Looked> {
  const tools = createTools(deps)
  const unread: Looked[] = []
  const from = deps.env.now()
  const one: Look = { tools, queue, cause: `look ${from - (from % intervalMs)}`, setups: new KnownSetups(tools) }
  for await (const listed of tools.store.list({ managed: true }, (shown, cause) => void unread.push(failure(shown, cause)))) {
    if (unread.length > 0) yield* unread.splice(0)
    if (deps.env.cancelled.aborted) return
    const noted = quietView(one, listed)
    // Most secrets of a large fleet end here: a promise for each would cost more than all else that is done with it.
    yield knownQuiet(one, noted) ?? (await lookAt(one, listed, noted))
  }
  yield* unread
}

/**
 * What the journal of a listing shows, if that may be all there is. What somebody wrote past us shows only to who describes it: by the daily check, and where
 * that may not be made, because of a freeze, a pause or a person who has to look first, in one hour of the day.
 */
function quietView({ tools: { deps } }: Look, listed: Listed): SecretView | undefined {
  const noted = notedView(listed)
  const now = deps.env.now()
  return noted !== undefined && isCheckDue(noted, now) && isHourOf(noted.ref, now) ? undefined : noted
}

/** A secret for which nothing is due, as far as this look has read the setup of such a secret before. */
function knownQuiet(one: Look, noted: SecretView | undefined): Looked | undefined {
  if (noted === undefined) return undefined
  const ref = noted.ref.shown
  try {
    const setup = one.setups.of(noted)
    const standing = setup && quietBy(one, noted, setup)
    return standing && { ref, sent: 0, standing }
  } catch (cause) {
    return failure(ref, cause)
  }
}

/** How a secret stands for which nothing is due by its journal; undefined where something is. */
function quietBy({ tools }: Look, noted: SecretView, setup: Setup): Standing | undefined {
  const { due, standing } = judgeBy(tools, noted, setup)
  const isQuiet = due.every((action) => action === 'companions' && areSeen(noted, setup))
  return isQuiet ? standing : undefined
}

/** Whether every companion was seen with the version that was announced. What somebody wrote to one since shows to who describes it, too. */
const areSeen = ({ journal }: SecretView, { companions }: Setup): boolean =>
  companions.every(({ name }) => {
    const seen = journal?.seen?.[name]
    return seen?.phase === 'drained' && seen.version === journal?.announced
  })

async function lookAt(one: Look, listed: Listed, noted: SecretView | undefined): Promise<Looked> {
  const ref = listed.ref.shown
  let found: Found
  try {
    found = await lookInto(one, listed, noted)
  } catch (cause) {
    return failure(ref, cause)
  }
  const { works, standing } = found
  for (const work of works) await one.queue.send(work)
  return { ref, sent: works.length, standing }
}

interface Found {
  readonly works: readonly Work[]
  readonly standing: Standing
}

/** What is due for a secret, as work that a queue carries, and how it stands. */
async function lookInto(one: Look, listed: Listed, noted: SecretView | undefined): Promise<Found> {
  const standing = noted && (await quietStanding(one, noted))
  if (standing !== undefined) return { works: [], standing }
  const { tools, cause } = one
  const state = await viewOf(tools.store, listed)
  const at = tools.deps.env.now()
  const whole = isCheckDue(state, at) ? { whole: true as const } : {}
  const judged = await judge(tools, state)
  const works = judged.due.map((action) => ({
    id: deriveWorkId(state.ref, action, cause),
    ref: state.ref.shown,
    action,
    at,
    ...(action === 'companions' ? whole : {}),
  }))
  return { works, standing: judged.standing }
}

/** The same as `quietBy`, for what this look has not read yet. */
async function quietStanding(one: Look, noted: SecretView): Promise<Standing | undefined> {
  const stopped = judgeStopped(one.tools, noted)
  if (stopped === undefined) return quietBy(one, noted, await one.setups.read(noted))
  return stopped.due.length === 0 ? stopped.standing : undefined
}

function failure(ref: string, cause: unknown): Looked {
  if (!(cause instanceof RotationError)) throw cause
  return { ref, sent: 0, failure: { code: codeOf(cause) ?? 'internal', message: messageOf(cause) } }
}
