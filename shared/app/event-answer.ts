import { codeOf } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import type { Code } from '../core/ports/errors.js'
import { answerError } from './function-log.js'

/** What is delivered again: the store's own failures. */
const again: readonly (Code | 'internal')[] = ['unavailable', 'throttled', 'ambiguous', 'conflict', 'internal']

/**
 * Answers an event by its end. What the next look meets by itself ends it: a hold, a target, a person. What nobody can read is buried, and comes again where
 * that fails. Anything else is thrown as its code alone, because a framework puts the text of an error into its answer. A process that is asked to end has
 * not said what becomes of an event: it comes again.
 */
export async function answerEvent(
  env: () => Env | undefined,
  act: () => Promise<void>,
  bury: (cause: unknown) => Promise<void>,
): Promise<void> {
  try {
    await act()
  } catch (cause) {
    answerError(cause, env()) // into the log
    const code = codeOf(cause) ?? 'internal'
    if (code === 'bad_event') return buryOrThrow(cause, env, bury)
    if (again.includes(code) || env()?.cancelled.aborted === true) throw bareError(code)
  }
}

async function buryOrThrow(cause: unknown, env: () => Env | undefined, bury: (cause: unknown) => Promise<void>): Promise<void> {
  try {
    await bury(cause)
  } catch (failed) {
    answerError(failed, env()) // into the log
    throw bareError(codeOf(failed) ?? 'internal')
  }
}

function bareError(code: string): Error {
  const error = new Error(code)
  error.name = code
  error.stack = code
  return error
}
