import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { Env } from '../core/ports/env.js'

/** Writes one structured line to stderr, where the platform collects them. */
export const logLine: Env['log'] = (code, fields) => void process.stderr.write(`${JSON.stringify({ log: code, ...fields })}\n`)

/**
 * Makes the error that leaves a handler: the code, what happened and the next step. A stack or cause may hold anything, so it has none. The code is
 * its name, so that the platform's own log and alarms can tell one error from another. The details go into the log.
 */
export function answerError(cause: unknown, env: Env | undefined): Error {
  const known = cause instanceof RotationError ? cause : undefined
  const code = known?.code ?? 'internal'
  const kind = cause instanceof Error ? cause.name : typeof cause
  const message = known === undefined ? `An unexpected ${kind} ended the call.` : `${known.message} ${known.next}`
  const log = env?.log ?? logLine
  log('step_failed', { code, message, ...optional('field', known?.field), ...causeOf(known) })
  const answer = new Error(`${code}: ${message}`)
  answer.name = code
  answer.stack = `${code}: ${message}`
  return answer
}

/** The cause as text; the guard has redacted it. */
const causeOf = (known: RotationError | undefined): { readonly cause?: string } =>
  known?.cause instanceof Error ? { cause: `${known.cause.name}: ${known.cause.message}` } : {}
