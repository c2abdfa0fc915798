import { codeOf, messageOf, RotationError } from '../../core/errors.js'
import { deriveWorkId } from '../../core/ids.js'
import type { Code } from '../../core/ports/errors.js'
import type { Queue, Work } from '../../core/ports/queue.js'
import type { Listed } from '../../core/ports/store.js'
import type { Deps } from '../secret/deps.js'
import { isCheckDue } from '../secret/schedule.js'
import { createTools } from '../secret/setup.js'
import { judge } from './due.js'
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

/**
 * Lists all managed secrets in constant memory, and sends what is due for each. No login, and a read only where nothing names the rotator. Where a listing
 * shows journals, only what is due by its journal is described. Two looks may run at once. A secret that cannot be looked at is in the answer and ends
 * nothing; what the queue or the listing throws ends the look.
 */
export async function* look(deps: Deps, queue: Queue): AsyncIterable<Looked> {
  const { store } = createTools(deps)
  const unread: Looked[] = []
  for await (const listed of store.list({ managed: true }, (shown, cause) => void unread.push(failure(shown, cause)))) {
    yield* unread.splice(0)
    if (deps.env.cancelled.aborted) return
    yield await lookAt(deps, listed, queue)
  }
  yield* unread
}

async function lookAt(deps: Deps, listed: Listed, queue: Queue): Promise<Looked> {
  const ref = listed.ref.shown
  let found: Found
  try {
    found = await lookInto(deps, listed)
  } catch (cause) {
    return failure(ref, cause)
  }
  const { works, standing } = found
  for (const work of works) await queue.send(work)
  return { ref, sent: works.length, standing }
}

interface Found {
  readonly works: readonly Work[]
  readonly standing: Standing
}

/** What is due for a secret, as work that a queue carries, and how it stands. */
async function lookInto(deps: Deps, listed: Listed): Promise<Found> {
  const at = deps.env.now()
  const noted = notedView(listed)
  // What somebody wrote past us shows only to who describes it: once a day, also while nothing may be started.
  if (noted !== undefined && !isCheckDue(noted, at)) {
    const { due, standing } = await judge(deps, noted)
    if (due.length === 0) return { works: [], standing }
  }
  const state = await viewOf(createTools(deps).store, listed)
  const cause = `look ${at - (at % intervalMs)}`
  const whole = isCheckDue(state, at) ? { whole: true as const } : {}
  const { due, standing } = await judge(deps, state)
  const works = due.map((action) => ({
    id: deriveWorkId(state.ref, action, cause),
    ref: state.ref.shown,
    action,
    at,
    ...(action === 'companions' ? whole : {}),
  }))
  return { works, standing }
}

function failure(ref: string, cause: unknown): Looked {
  if (!(cause instanceof RotationError)) throw cause
  return { ref, sent: 0, failure: { code: codeOf(cause) ?? 'internal', message: messageOf(cause) } }
}
