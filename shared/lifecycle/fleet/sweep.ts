import { codeOf, messageOf, RotationError } from '../../core/errors.js'
import type { FleetAction, Queue, Work } from '../../core/ports/queue.js'
import type { Deps } from '../secret/deps.js'
import { type Acted, act } from './act.js'
import { look } from './look.js'

/** One action and how it ended; `code` where it failed or has to wait. */
export interface Swept extends Omit<Acted, 'again'> {
  readonly ref: string
  readonly action: FleetAction | 'look'
}

/**
 * One bounded pass over all managed secrets, one after the other, in constant memory: a look whose queue acts at once. It may run twice at once. It does
 * not throw for a single secret: what went wrong is in the answer.
 */
export async function* sweep(deps: Deps): AsyncIterable<Swept> {
  const done: Swept[] = []
  for await (const { ref, failure } of look(deps, actingQueue(deps, done))) {
    if (failure !== undefined) yield { ref, action: 'look', outcome: failure.message, code: failure.code }
    yield* done.splice(0)
  }
}

/** Acts instead of sending. What is to be looked at again is left to the next sweep, or to who follows. */
const actingQueue = (deps: Deps, done: Swept[]): Queue => ({
  delayMsMax: 0,
  send: async (work) => void done.push(...(await actNow(deps, work))),
})

async function actNow(deps: Deps, work: Work): Promise<readonly Swept[]> {
  const { ref, action } = work
  try {
    const acted = await act(deps, work)
    if (acted === undefined) return []
    const { again: _, ...rest } = acted
    return [{ ref, action, ...rest }]
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    return [{ ref, action, outcome: messageOf(cause), code: codeOf(cause) ?? 'internal' }]
  }
}
