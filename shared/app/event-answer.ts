import { codeOf } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import type { Code } from '../core/ports/errors.js'
import { answerError } from './function-log.js'

/** What is delivered again: the store's own failures, and what nobody can read, which the subscription gives to the dead letters after a while. */
const again: readonly (Code | 'internal')[] = ['unavailable', 'throttled', 'ambiguous', 'conflict', 'bad_event', 'internal']

/**
 * Answers an event by its end. What the next look meets by itself ends it: a hold, a target, a person. Anything else is thrown as its code alone, because a
 * framework puts the text of an error into its answer.
 */
export async function answerEvent(env: () => Env | undefined, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (cause) {
    answerError(cause, env()) // into the log
    const code = codeOf(cause) ?? 'internal'
    if (!again.includes(code)) return
    const error = new Error(code)
    error.name = code
    error.stack = code
    throw error
  }
}
