import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { Change, Consumer, ConsumerState, Notifier } from '../../shared/core/ports/notifier.js'
import type { Room } from '../harness/kube/lab.js'

/** As sweeps do it: one look after the other, each phase once; ends at the phase, or fails after a while. */
export async function follow(
  notifier: Notifier,
  room: Room,
  change: Change,
  consumer: Consumer,
  phase: ConsumerState['phase'],
): Promise<readonly ConsumerState[]> {
  const seen: ConsumerState[] = []
  for (let looks = 0; looks < 400; looks++) {
    const state = await notifier.advance(change, consumer, room.context())
    if (seen.at(-1)?.phase !== state.phase || seen.at(-1)?.evidence !== state.evidence) seen.push(state)
    if (state.phase === phase) return seen
    await delay(20)
  }
  throw new Error(`never ${phase}: ${JSON.stringify(seen.slice(-5))}`)
}

/** Never this phase, for a while; the last words. */
export async function never(
  notifier: Notifier,
  room: Room,
  change: Change,
  consumer: Consumer,
  phase: ConsumerState['phase'],
): Promise<string> {
  let evidence = ''
  for (let looks = 0; looks < 25; looks++) {
    const state = await notifier.advance(change, consumer, room.context())
    assert.notEqual(state.phase, phase, state.evidence)
    evidence = state.evidence
    await delay(20)
  }
  return evidence
}
