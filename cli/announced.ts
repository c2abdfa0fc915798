import { RotationError } from '../shared/core/errors.js'
import { type Announced, announce } from '../shared/lifecycle/consumers/announce.js'
import { answersOf } from '../shared/lifecycle/consumers/answers.js'
import type { Deps } from '../shared/lifecycle/secret/deps.js'
import type { Json, Output } from './output.js'

/** How the announcement after a rotation ended. failed: it threw the error code `why`; the rotation itself is done. */
export type Pass = Announced | { readonly outcome: 'failed'; readonly why: string }

/** Announces a rotation that has ended. A failure is reported, and never undoes or fails the rotation. The next sweep announces again. */
export async function announceAfter(deps: Deps, refText: string, output: Output): Promise<Pass> {
  try {
    const pass = await announce(deps, refText)
    for (const { consumer, seen, evidence } of pass.told)
      if (seen.phase === 'failed') output.note(`· ${consumer.key} could not be notified: ${evidence}`)
    return pass
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    output.note(`· the announcement failed (${cause.code}): ${cause.message} ${cause.next}`)
    return { outcome: 'failed', why: cause.code }
  }
}

/** Makes the members `announced` and `consumers` of a result; an announcement that failed names no consumers. */
export function announcedJson(pass: Pass): { readonly [key: string]: Json } {
  const told = 'told' in pass ? pass.told : []
  return {
    announced: pass.outcome,
    consumers: answersOf(told).map((one) => ({ ...one })),
  }
}
