import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import type { Code } from '../../core/ports/errors.js'
import type { RotationStarter } from '../../core/ports/service.js'
import type { RotationRequest } from '../../core/ports/words.js'
import { announce } from '../consumers/announce.js'
import { lookError, verifyCurrent } from '../secret/adopt.js'
import type { Deps } from '../secret/deps.js'
import { rotateOrFollow } from '../service/start.js'
import { plan } from './plan.js'

/** A secret that was not rotated, and why. */
export interface NotRotated {
  readonly ref: string
  readonly code: Code
  readonly why: string
}

/** How far a rotation of many secrets got: `rotated`, `skipped` and `failed` together name every secret that was begun. */
export interface FleetResult {
  readonly rotated: readonly string[]
  /** The names of the fields that each rotation has rewritten, by secret. */
  readonly rewrote: Readonly<Record<string, readonly string[]>>
  /** Held, locked or paused: they cannot rotate now, which is not a failure. */
  readonly skipped: readonly NotRotated[]
  readonly failed?: NotRotated
  /** How many were not begun because another one failed. */
  readonly left: number
}

/** Makes waves: one secret, then a tenth of the rest, then all. Each wave ends before the next begins, and the first failure ends everything. */
export function wavesOf<T>(all: readonly T[]): readonly (readonly T[])[] {
  const tenth = Math.ceil((all.length - 1) / 10)
  return [all.slice(0, 1), all.slice(1, 1 + tenth), all.slice(1 + tenth)].filter((wave) => wave.length > 0)
}

/** Which secrets to rotate, and the reason for audit log and announcement. */
export interface FleetWish {
  readonly type?: string | undefined
  readonly reason?: string | undefined
  /** Where the store's platform can be asked to start its own rotations. */
  readonly starter?: RotationStarter | undefined
}

/** Rotates every managed secret, or those of one type. `say` gets a line as each wave begins. */
export async function rotateFleet(
  deps: Deps,
  env: Env,
  { type, reason, starter }: FleetWish,
  say: (line: string) => void,
): Promise<FleetResult> {
  const refs = await refsOf(deps, type)
  const at = env.now()
  const rotated: string[] = []
  const rewrote: Record<string, readonly string[]> = {}
  const skipped: NotRotated[] = []
  const begun = (): number => rotated.length + skipped.length
  const once = async (ref: string): Promise<FleetResult | undefined> => {
    try {
      if (env.cancelled.aborted) throw new RotationError('held', 'Interrupted.', { next: 'Run the same command again.' })
      const fields = await rotateVerified(deps, starter, { kind: 'rotate', ref, at, ...optional('reason', reason) })
      rotated.push(ref)
      if (fields !== undefined) rewrote[ref] = fields
    } catch (cause) {
      if (!(cause instanceof RotationError)) throw cause
      const what = { ref, code: cause.code, why: cause.message }
      if (cause.remedy !== 'wait' || env.cancelled.aborted) {
        const left = refs.length - begun() - 1
        return { rotated, rewrote, skipped, failed: what, left }
      }
      skipped.push(what)
    }
    return undefined
  }
  say(`one first, of ${refs.length}`)
  while (rotated.length === 0 && begun() < refs.length) {
    const ended = await once(refs[begun()] ?? '') // a secret that has to wait proves nothing, so the next one is the first
    if (ended) return ended
  }
  for (const wave of wavesOf(['the first', ...refs.slice(begun())]).slice(1)) {
    say(`then ${wave.length}`)
    for (const ref of wave) {
      const ended = await once(ref)
      if (ended) return ended
    }
  }
  return { rotated, rewrote, skipped, left: 0 }
}

async function refsOf(deps: Deps, type: string | undefined): Promise<readonly string[]> {
  const refs: string[] = []
  for await (const line of plan(deps, { tries: false })) {
    const isWanted = type === undefined || line.type === type
    if (line.rotator !== undefined && isWanted) refs.push(line.ref)
  }
  return refs.sort()
}

async function rotateVerified(
  deps: Deps,
  starter: RotationStarter | undefined,
  request: RotationRequest,
): Promise<readonly string[] | undefined> {
  const { ref } = request
  const { rewrote } = await rotateOrFollow(deps, starter, request)
  await announce(deps, ref)
  const looked = await verifyCurrent(deps, ref)
  const wrong = lookError(looked)
  if (wrong === undefined) return rewrote
  if (looked.passwordAccepted) throw wrong
  throw new RotationError('target_auth', `The target refuses the new current value of ${ref}.`, {
    next: `Run keyturn recover ${ref}.`,
  })
}
