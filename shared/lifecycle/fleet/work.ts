import { codeOf, messageOf, RotationError } from '../../core/errors.js'
import { deriveWorkId } from '../../core/ids.js'
import type { Code } from '../../core/ports/errors.js'
import type { Queue, Work } from '../../core/ports/queue.js'
import type { Deps } from '../secret/deps.js'
import { createTools } from '../secret/setup.js'
import { act } from './act.js'

/**
 * How a message ended. over: its work is done, or is left to the next look, which finds it again · redeliver: the store could not be asked, or somebody else
 * was faster, or this process was asked to end; the queue is to deliver it once more.
 */
export interface Performed {
  readonly ends: 'over' | 'redeliver'
  /** undefined: there was nothing to do. */
  readonly outcome?: string
  readonly code?: Code
}

/** What a queue delivers again. What the target, a consumer or a person has to change is met by the next look, or by the time that was noted for it. */
const redelivered: readonly Code[] = ['unavailable', 'throttled', 'ambiguous', 'conflict']

/**
 * Does the work of one message from fresh state, and sends the follow-up if this process was the one that noted when to look again. May be repeated and run
 * twice at once. It throws only what is a fault of this program.
 */
export async function perform(deps: Deps, work: Work, queue: Queue): Promise<Performed> {
  try {
    const acted = await act({ ...deps, looksAgain: true }, work)
    if (acted?.again !== undefined) await followUp(deps, work, queue, acted.again)
    return acted === undefined ? { ends: 'over' } : { ends: 'over', outcome: acted.outcome, ...(acted.code ? { code: acted.code } : {}) }
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    const code = codeOf(cause) ?? 'internal'
    const comesAgain = redelivered.includes(code) || deps.env.cancelled.aborted
    return { ends: comesAgain ? 'redeliver' : 'over', outcome: messageOf(cause), code }
  }
}

/** A follow-up that cannot be sent is found by the next look, because its time is noted. */
async function followUp(deps: Deps, { ref }: Work, queue: Queue, again: number): Promise<void> {
  const { env } = deps
  if (again - env.now() > queue.delayMsMax) return
  try {
    const resolved = await createTools(deps).store.resolve(ref)
    await queue.send({ id: deriveWorkId(resolved, 'announce', `again ${again}`), ref, action: 'announce', at: again }, again)
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    env.log('follow_up_unsent', { ref, code: cause.code, why: cause.message })
  }
}
