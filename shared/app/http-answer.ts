import { codeOf, RotationError } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import type { Code } from '../core/ports/errors.js'
import { answerError } from './function-log.js'

/** What a handler answers: a status and, where there is something to say, a JSON object without a value. */
export interface Answer {
  readonly status: number
  readonly body?: Readonly<Record<string, unknown>>
}

/** Statuses of what ended an invocation. 503 is delivered again by whoever called. */
const statusOf = (code: Code): number => {
  if (code === 'denied') return 403
  if (code === 'bad_event') return 400
  if (code === 'not_found') return 404
  if (['locked', 'held', 'conflict', 'token_spent'].includes(code)) return 409
  return ['unavailable', 'throttled', 'ambiguous'].includes(code) ? 503 : 500
}

/** Answers a call. A failure is logged, and answered with its code, field and next step alone: a message may name hosts and accounts. */
export async function answered(env: () => Env | undefined, act: () => Promise<Answer>): Promise<Answer> {
  try {
    return await act()
  } catch (cause) {
    answerError(cause, env()) // into the log
    const code = codeOf(cause) ?? 'internal'
    const next = cause instanceof RotationError ? { next: cause.next, ...(cause.field ? { field: cause.field } : {}) } : {}
    return { status: statusOf(code), body: { code, ...next } }
  }
}
