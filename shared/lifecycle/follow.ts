import { codeOf, messageOf, RotationError } from '../core/errors.js'
import type { TargetPhase } from '../core/ports/notifier.js'
import type { SecretState } from '../core/ports/store.js'
import { announce } from './announce.js'
import type { Deps } from './deps.js'
import { retirePass } from './retire.js'
import { createTools } from './work.js'

/** How far one consumer is; told when that changes. */
export interface Progress {
  readonly ref: string
  readonly target: string
  readonly phase: TargetPhase | 'retire'
  readonly evidence: string
}
const pauseMs = 1000

const isMoving = ({ journal, current }: SecretState, until: number): boolean =>
  Object.values(journal?.seen ?? {}).some(
    ({ version, phase, again, code }) =>
      version === current?.id && phase !== 'drained' && code !== 'delivery_refused' && again !== undefined && again < until,
  )

/**
 * Looks again and again at the consumers that are on their way, until all of them have arrived, nothing moves before `until`, or it is cancelled;
 * and then at what can be retired. Each look is one announce pass, so that others may do the same at the same time.
 */
export async function* follow(deps: Deps, until: number): AsyncIterable<Progress> {
  const { store } = createTools(deps)
  const open: SecretState['ref'][] = []
  for await (const state of store.list({ managed: true }, () => undefined)) if (isMoving(state, until)) open.push(state.ref)
  const last = new Map<string, string>()
  while (open.length > 0 && deps.env.now() < until && !deps.env.cancelled.aborted) {
    for (const ref of [...open]) {
      const found = await look(deps, ref.shown)
      for (const one of found) {
        const key = `${one.ref} ${one.target}`
        if (last.get(key) !== `${one.phase} ${one.evidence}`) yield one
        last.set(key, `${one.phase} ${one.evidence}`)
      }
      const failed = found.some(({ target }) => target === '') // not of a consumer's: it will not be different in a second
      if (!failed && isMoving(await store.describe(ref), until)) continue
      open.splice(open.indexOf(ref), 1)
      if (failed) continue
      const { entries } = await retirePass(deps, ref.shown)
      for (const { id, state, why } of entries) yield { ref: ref.shown, target: id, phase: 'retire', evidence: `${state}: ${why}` }
    }
    if (open.length > 0) await deps.env.sleep(pauseMs)
  }
}

/** What one secret's pass fails of is said, and does not end those of the others. */
async function look(deps: Deps, ref: string): Promise<readonly Progress[]> {
  try {
    const { told } = await announce(deps, ref)
    return told.map(({ target, seen, evidence }) => ({ ref, target: target.key, phase: seen.phase, evidence }))
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    return [{ ref, target: '', phase: 'failed', evidence: `${codeOf(cause) ?? 'internal'}: ${messageOf(cause)}` }]
  }
}
