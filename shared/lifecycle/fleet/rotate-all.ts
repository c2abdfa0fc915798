import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import type { Code } from '../../core/ports/errors.js'
import type { RotationStarter } from '../../core/ports/service.js'
import type { RotationRequest } from '../../core/ports/words.js'
import { announce } from '../consumers/announce.js'
import { verifyCurrent } from '../secret/adopt.js'
import type { Deps } from '../secret/deps.js'
import { rotateOrFollow } from '../service/start.js'
import { plan } from './plan.js'

/** How far a rotation of many came: `rotated`, `skipped` and `failed` together name every secret that was begun. */
export interface FleetResult {
  readonly rotated: readonly string[]
  /** Held, locked or paused: not now, and no failure. */
  readonly skipped: readonly { readonly ref: string; readonly code: Code; readonly why: string }[]
  readonly failed?: { readonly ref: string; readonly code: Code; readonly why: string }
  /** Not begun because another one failed. */
  readonly left: number
}

/** One; then a tenth of the rest; then all. Each wave ends before the next begins, and the first failure ends everything. */
export function wavesOf<T>(all: readonly T[]): readonly (readonly T[])[] {
  const tenth = Math.ceil((all.length - 1) / 10)
  return [all.slice(0, 1), all.slice(1, 1 + tenth), all.slice(1 + tenth)].filter((wave) => wave.length > 0)
}

/** Which secrets, and why: for audit log and announcement. */
export interface FleetWish {
  readonly type?: string | undefined
  readonly reason?: string | undefined
  /** Where the store's platform can be asked to start its own rotations. */
  readonly starter?: RotationStarter | undefined
}

/** Rotates every managed secret, or those of one type. `say` is told as each wave begins. */
export async function rotateFleet(
  deps: Deps,
  env: Env,
  { type, reason, starter }: FleetWish,
  say: (line: string) => void,
): Promise<FleetResult> {
  const refs: string[] = []
  for await (const line of plan(deps)) if (line.rotator !== undefined && (type === undefined || line.type === type)) refs.push(line.ref)
  refs.sort()
  const at = env.now()
  const [rotated, skipped]: [string[], FleetResult['skipped'][number][]] = [[], []]
  const begun = (): number => rotated.length + skipped.length
  const once = async (ref: string): Promise<FleetResult | undefined> => {
    try {
      if (env.cancelled.aborted) throw new RotationError('held', 'Interrupted.', { next: 'Run the same command again.' })
      await rotateVerified(deps, starter, { kind: 'rotate', ref, at, ...optional('reason', reason) })
      rotated.push(ref)
    } catch (cause) {
      if (!(cause instanceof RotationError)) throw cause
      const what = { ref, code: cause.code, why: cause.message }
      if (cause.remedy !== 'wait' || env.cancelled.aborted) return { rotated, skipped, failed: what, left: refs.length - begun() - 1 }
      skipped.push(what)
    }
    return undefined
  }
  say(`one first, of ${refs.length}`)
  while (rotated.length === 0 && begun() < refs.length) {
    const ended = await once(refs[begun()] ?? '') // one that has to wait proves nothing: the next one is the first
    if (ended) return ended
  }
  for (const wave of wavesOf(['the first', ...refs.slice(begun())]).slice(1)) {
    say(`then ${wave.length}`)
    for (const ref of wave) {
      const ended = await once(ref)
      if (ended) return ended
    }
  }
  return { rotated, skipped, left: 0 }
}

async function rotateVerified(deps: Deps, starter: RotationStarter | undefined, request: RotationRequest): Promise<void> {
  const { ref } = request
  await rotateOrFollow(deps, starter, request)
  await announce(deps, ref)
  const { accepted } = await verifyCurrent(deps, ref)
  if (!accepted) {
    throw new RotationError('target_auth', `The target refuses the new current value of ${ref}.`, { next: `Run keyturn recover ${ref}.` })
  }
}
