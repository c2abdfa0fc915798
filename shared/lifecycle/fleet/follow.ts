import { codeOf, messageOf, RotationError } from '../../core/errors.js'
import type { SecretView, Seen } from '../../core/ports/store.js'
import type { ConsumerPhase } from '../../core/ports/words.js'
import { announce } from '../consumers/announce.js'
import { retirePass } from '../retirement/retire.js'
import type { Deps } from '../secret/deps.js'
import { openSecret } from '../secret/open.js'
import { createTools } from '../secret/setup.js'
import { viewOf } from './view.js'

/** How far one consumer is; told when that changes. */
export interface Progress {
  readonly ref: string
  readonly consumer: string
  readonly phase: ConsumerPhase | 'retire'
  readonly evidence: string
}
const pauseMs = 1000

const mayMoveBefore = ({ phase, again, code }: Seen, until: number): boolean =>
  phase !== 'drained' && code !== 'delivery_refused' && again !== undefined && again < until
const isMoving = ({ journal, current }: SecretView, until: number): boolean =>
  Object.values(journal?.seen ?? {}).some((seen) => seen.version === current?.id && mayMoveBefore(seen, until))

/**
 * Looks again and again at the consumers that are on their way, none of them sooner than it said, until all have arrived, nothing moves before
 * `until`, or it is cancelled; and then at what can be retired. Each look is one announce pass, so that others may do the same at the same time.
 * What one secret fails of is said, and ends neither the others nor the caller.
 */
export async function* follow(deps: Deps, until: number): AsyncIterable<Progress> {
  const { store } = createTools(deps)
  const next = new Map<string, number>()
  for await (const listed of store.list({ managed: true }, () => undefined)) {
    const view = await viewOf(store, listed).catch(() => undefined) // like one that the listing left out: the sweep says why
    if (view !== undefined && isMoving(view, until)) next.set(listed.ref.shown, 0)
  }
  const last = new Map<string, string>()
  while (next.size > 0 && deps.env.now() < until && !deps.env.cancelled.aborted) {
    for (const [ref, at] of [...next]) {
      if (at > deps.env.now()) continue
      const { progress, again } = await attempt(ref, () => look(deps, ref, until))
      for (const one of progress) {
        const key = `${ref} ${one.consumer}`
        if (last.get(key) !== `${one.phase} ${one.evidence}`) yield one
        last.set(key, `${one.phase} ${one.evidence}`)
      }
      if (again === undefined) next.delete(ref)
      else next.set(ref, again)
    }
    const soonest = Math.min(...next.values())
    if (next.size > 0) await deps.env.sleep(Math.max(pauseMs, Math.min(soonest, until) - deps.env.now()))
  }
}

/** `again`: when to look next, where somebody is still on the way; undefined where this secret is done. */
interface Looked {
  readonly progress: readonly Progress[]
  readonly again?: number
}

async function look(deps: Deps, ref: string, until: number): Promise<Looked> {
  const { told } = await announce(deps, ref)
  const progress = told.map(({ consumer, seen, evidence }) => ({ ref, consumer: consumer.key, phase: seen.phase, evidence }))
  // Where nothing was due yet what was noted stands; else what was said just now, which is not noted unless somebody got further.
  const seen = told.length > 0 ? told.map((one) => one.seen) : await noted(deps, ref)
  const times = seen.filter((one) => mayMoveBefore(one, until)).map(({ again = 0 }) => again)
  if (times.length > 0) return { progress, again: Math.min(...times) }
  const retired = await attempt(ref, async () => {
    const { entries } = await retirePass(deps, ref)
    return {
      progress: entries.map(({ id, state, why }) => ({ ref, consumer: id, phase: 'retire' as const, evidence: `${state}: ${why}` })),
    }
  })
  return { progress: [...progress, ...retired.progress] }
}

async function noted(deps: Deps, shown: string): Promise<readonly Seen[]> {
  const { journal, current } = (await openSecret(deps, shown)).state
  return Object.values(journal?.seen ?? {}).filter(({ version }) => version === current?.id)
}

async function attempt(ref: string, act: () => Promise<Looked>): Promise<Looked> {
  try {
    return await act()
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    return { progress: [{ ref, consumer: '', phase: 'failed', evidence: `${codeOf(cause) ?? 'internal'}: ${messageOf(cause)}` }] }
  }
}
