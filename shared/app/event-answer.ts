import { codeOf } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import type { Code } from '../core/ports/errors.js'
import { answerError } from './function-log.js'

/**
 * What of a rotation is delivered again: the store's own failures, and `locked`. Whoever has the right to act may be ending a rotation that was asked for
 * before this notice, and no look knows that another one was asked for.
 */
const again: readonly (Code | 'internal')[] = ['unavailable', 'throttled', 'ambiguous', 'conflict', 'locked', 'internal']

/** What an event does, in the order in which it is done. */
export interface EventSteps<Asked> {
  /** bad_event for what nobody can read; undefined for what asks for nothing. */
  read(): Promise<Asked | undefined>
  bury(cause: unknown): Promise<void>
  /** Absent where an event only sends work. */
  rotate?(asked: Asked): Promise<void>
  send(asked: Asked): Promise<void>
}

/**
 * Answers an event by its end. What the next look meets by itself ends it: a hold, a target, a person. What nobody can read is buried. Whatever keeps this
 * function itself from reading, burying or sending has it come again: no look knows of a version that somebody else added. It is thrown as its code alone,
 * because a framework puts the text of an error into its answer. A process that is asked to end has not said what becomes of an event: it comes again.
 */
export async function answerEvent<Asked>(env: () => Env | undefined, steps: EventSteps<Asked>): Promise<void> {
  let asked: Asked | undefined
  try {
    asked = await steps.read()
  } catch (cause) {
    const code = noted(cause, env)
    if (code !== 'bad_event') throw bareError(code)
    return or(
      () => steps.bury(cause),
      env,
      () => true,
    )
  }
  if (asked === undefined) return
  const known = asked
  await or(
    async () => steps.rotate?.(known),
    env,
    (code) => again.includes(code) || env()?.cancelled.aborted === true,
  )
  await or(
    () => steps.send(known),
    env,
    () => true,
  )
}

/** Acts; what it throws is logged, and thrown as its code alone where that comes again. */
async function or(act: () => Promise<void>, env: () => Env | undefined, comesAgain: (code: Code | 'internal') => boolean): Promise<void> {
  try {
    await act()
  } catch (cause) {
    const code = noted(cause, env)
    if (comesAgain(code)) throw bareError(code)
  }
}

function noted(cause: unknown, env: () => Env | undefined): Code | 'internal' {
  answerError(cause, env()) // into the log
  return codeOf(cause) ?? 'internal'
}

function bareError(code: string): Error {
  const error = new Error(code)
  error.name = code
  error.stack = code
  return error
}
