import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { Change, Consumer, ConsumerState, Notifier } from '../../shared/core/ports/notifier.js'
import type { Room } from '../harness/kube/lab.js'

const looksMax = 1500

/** As sweeps do it: one look after the other, each phase once; ends at the phase, or fails after a while. */
export async function follow(
  notifier: Notifier,
  room: Room,
  change: Change,
  consumer: Consumer,
  phase: ConsumerState['phase'],
): Promise<readonly ConsumerState[]> {
  const seen: ConsumerState[] = []
  for (let looks = 0; looks < looksMax; looks++) {
    const state = await notifier.advance(change, consumer, room.context())
    if (seen.at(-1)?.phase !== state.phase || seen.at(-1)?.evidence !== state.evidence) seen.push(state)
    if (state.phase === phase) return seen
    await delay(20)
  }
  throw new Error(`never ${phase}: ${JSON.stringify(seen.slice(-5))}`)
}

/**
 * Never this phase, neither on the way to these words nor while the operator goes round a few times after them; the last words. However slow the operator
 * is, it is waited for.
 */
export async function never(
  notifier: Notifier,
  room: Room,
  change: Change,
  consumer: Consumer,
  phase: ConsumerState['phase'],
  says = /./,
): Promise<string> {
  let evidence = ''
  const look = async (): Promise<void> => {
    const state = await notifier.advance(change, consumer, room.context())
    assert.notEqual(state.phase, phase, state.evidence)
    evidence = state.evidence
    await delay(20)
  }
  for (let looks = 0; looks < looksMax && !says.test(evidence); looks++) await look()
  const end = room.operator.rounds + 5
  for (let looks = 0; looks < looksMax && room.operator.rounds < end; looks++) await look()
  assert.ok(room.operator.rounds >= end, 'the operator does not go round')
  assert.match(evidence, says)
  return evidence
}
