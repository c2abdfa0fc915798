import { codeOf, messageOf, RotationError } from '../../core/errors.js'
import type { SecretView, Seen } from '../../core/ports/store.js'
import type { ConsumerPhase } from '../../core/ports/words.js'
import { announce } from '../consumers/announce.js'
import { moveBefore } from '../consumers/moving.js'
import { type Retired, retirePass } from '../retirement/retire.js'
import type { Deps } from '../secret/deps.js'
import { openSecret } from '../secret/open.js'
import { createTools } from '../secret/setup.js'
import { viewOf } from './view.js'

/** How far one consumer is. One is given each time that changes. */
export interface Progress {
  readonly ref: string
  readonly consumer: string
  readonly phase: ConsumerPhase | 'retire'
  readonly evidence: string
}
const pauseMs = 1000

const seenOfCurrent = ({ journal, current }: SecretView): readonly Seen[] =>
  Object.values(journal?.seen ?? {}).filter(({ version }) => version === current?.id)
const isMoving = (state: SecretView, until: number): boolean => seenOfCurrent(state).some((seen) => moveBefore(seen, until) !== undefined)

/**
 * Looks again and again at the consumers that are on their way, and at none sooner than it asked. It ends when all have arrived, when nothing moves
 * before `until`, or when it is cancelled. Then it looks at what can be retired. Each look is one announce pass, so that others may do the same at
 * the same time. A failure of one secret is reported, and ends neither the others nor the caller.
 */
export async function* follow(deps: Deps, until: number): AsyncIterable<Progress> {
  const { store } = createTools(deps)
  const next = new Map<string, number>()
  for await (const listed of store.list({ managed: true }, () => undefined)) {
    const view = await viewOf(store, listed).catch(() => undefined) // the sweep says why, as for one that the listing left out
    if (view !== undefined && isMoving(view, until)) next.set(listed.ref.shown, 0)
  }
  const last = new Map<string, string>()
  while (next.size > 0 && deps.env.now() < until && !deps.env.cancelled.aborted) {
    for (const [ref, at] of [...next]) {
      if (at > deps.env.now()) continue
      const { progress, again } = await attempt(ref, () => look(deps, ref, until))
      for (const one of progress) {
        const key = `${ref} ${one.consumer}`
        const text = `${one.phase} ${one.evidence}`
        if (last.get(key) !== text) yield one
        last.set(key, text)
      }
      if (again === undefined) next.delete(ref)
      else next.set(ref, again)
    }
    const soonest = Math.min(...next.values())
    if (next.size > 0) await deps.env.sleep(Math.max(pauseMs, Math.min(soonest, until) - deps.env.now()))
  }
}

interface Looked {
  readonly progress: readonly Progress[]
  /** When to look next, where a consumer is still on its way; undefined where this secret is done. */
  readonly again?: number
}

async function look(deps: Deps, ref: string, until: number): Promise<Looked> {
  const { told } = await announce(deps, ref)
  const progress = told.map(({ consumer, seen: { phase }, evidence }) => ({ ref, consumer: consumer.key, phase, evidence }))
  // Where nothing was due yet, the notes count. Else the answers of just now count, which are not noted unless a consumer got further.
  const seen = told.length > 0 ? told.map((one) => one.seen) : await noted(deps, ref)
  const times = seen.flatMap((one) => moveBefore(one, until) ?? [])
  if (times.length > 0) return { progress, again: Math.min(...times) }
  const retired = await attempt(ref, () => retire(deps, ref))
  return { progress: [...progress, ...retired.progress] }
}

async function retire(deps: Deps, ref: string): Promise<Looked> {
  const { entries } = await retirePass(deps, ref)
  const progressOf = ({ id, state, why }: Retired): Progress => ({
    ref,
    consumer: id,
    phase: 'retire',
    evidence: `${state}: ${why}`,
  })
  return { progress: entries.map(progressOf) }
}

async function noted(deps: Deps, shown: string): Promise<readonly Seen[]> {
  const { state } = await openSecret(deps, shown)
  return seenOfCurrent(state)
}

async function attempt(ref: string, act: () => Promise<Looked>): Promise<Looked> {
  try {
    return await act()
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    const evidence = `${codeOf(cause) ?? 'internal'}: ${messageOf(cause)}`
    return { progress: [{ ref, consumer: '', phase: 'failed', evidence }] }
  }
}
