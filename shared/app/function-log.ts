import { RotationError } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'

/** One structured line, where the platform collects them. */
export const logLine: Env['log'] = (code, fields) => void process.stderr.write(`${JSON.stringify({ log: code, ...fields })}\n`)

/**
 * What leaves a handler: the code, what happened and the next step, and no stack or cause, which may hold anything. The code is the error's name, so
 * that the platform's own log and alarms can tell one from another. The detail goes into the log.
 */
export function answerError(cause: unknown, env: Env | undefined): Error {
  const known = cause instanceof RotationError ? cause : undefined
  const code = known?.code ?? 'internal'
  const kind = cause instanceof Error ? cause.name : typeof cause
  const message = known === undefined ? `An unexpected ${kind} ended the call.` : `${known.message} ${known.next}`
  const log = env?.log ?? logLine
  log('step_failed', { code, message, ...(known?.field === undefined ? {} : { field: known.field }), ...causeOf(known) })
  const answer = new Error(`${code}: ${message}`)
  answer.name = code
  answer.stack = `${code}: ${message}`
  return answer
}

/** The guard has cleaned it. */
const causeOf = (known: RotationError | undefined): { readonly cause?: string } =>
  known?.cause instanceof Error ? { cause: `${known.cause.name}: ${known.cause.message}` } : {}
