import type { Code } from '../../core/ports/errors.js'
import type { SecretView } from '../../core/ports/store.js'
import { isHeld } from '../decide/action.js'
import { decide } from '../decide/decide.js'
import { factsOf } from '../rotation/facts.js'
import { latenessOf } from '../secret/schedule.js'
import { mayStart, type Setup, type Tools } from '../secret/setup.js'

/** How a secret stands with its schedule. Nothing of it needs a call. */
export interface Standing {
  /** What stopped its rotations until a person looks: stuck, mostly. */
  readonly stopped?: Code
  /** Why the rotation that is due may not start, where waiting for the window is not what it needs. */
  readonly held?: string
  /** For how long its rotation has been overdue, in milliseconds since it was due. Absent while a sweep may still be about to start it. */
  readonly overdueMs?: number
  /** How old the current value is, in milliseconds. Absent where the secret has no schedule. */
  readonly ageMs?: number
}

/** The code that keeps a secret from being rotated until a person has looked; undefined where there is none. */
export const stoppedBy = ({ journal, placeLost }: SecretView): Code | undefined => (placeLost ? 'stuck' : journal?.code)

/** The standing of a secret that nothing stopped. A secret that no sweep looks after has none. */
export function standingOf(tools: Tools, setup: Setup, state: SecretView): Standing {
  const now = tools.deps.env.now()
  if (setup.rotator === undefined || !mayStart(tools, state)) return {}
  const lateness = latenessOf(state, setup, now)
  if (lateness === undefined) return {}
  const { dueForMs, isOverdue } = lateness
  const held = dueForMs >= 0 ? whyHeld(tools, setup, state) : undefined
  return {
    ageMs: Math.max(0, now - state.publishedAt),
    ...(held === undefined ? {} : { held }),
    ...(isOverdue ? { overdueMs: dueForMs } : {}),
  }
}

/** Its window apart, which passes by itself: the same table decides as in the run. */
function whyHeld(tools: Tools, setup: Setup, state: SecretView): string | undefined {
  const { window: _, ...settings } = setup.settings
  const request = { kind: 'rotate', ref: state.ref.shown, at: tools.deps.env.now() } as const
  const action = decide(state, request, factsOf(tools, { ...setup, settings }, state))
  return action.do === 'refuse' && isHeld(action) ? action.why : undefined
}
