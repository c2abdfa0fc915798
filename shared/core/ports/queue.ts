import type { VersionId } from './words.js'

/** What may be due for a secret, in the order in which one process does it. */
export const fleetActions = ['resume', 'announce', 'retire', 'companions', 'start', 'check'] as const
export type FleetAction = (typeof fleetActions)[number]

/** One action of one secret: what a queue carries. It holds nothing secret. */
export interface Work {
  /** The same for everybody who finds the same thing to do: a queue that knows it may leave the second one out. */
  readonly id: string
  /** The secret, as every process can resolve it. */
  readonly ref: string
  readonly action: FleetAction
  /** When that was found due, in epoch milliseconds. What was published later answers it. */
  readonly at: number
  /** companions: compares each of them, not only those that were written to since. */
  readonly whole?: true
  /** start: the version that the platform gave notice of, as of `at`. Where another one is current by now, nothing is started. */
  readonly version?: VersionId
}

/**
 * Carries work from a look to who does it: at least once, in any order. It need not tell two messages of one id apart. Where it leaves a second one out, the
 * work is still due at the next interval's look, under another id.
 */
export interface Queue {
  /** How far ahead a message can be sent, in milliseconds. What waits longer is found by the next look. */
  readonly delayMsMax: number
  /** `notBefore`: in epoch milliseconds; absent: at once. unavailable, throttled, denied, bad_config. */
  send(work: Work, notBefore?: number): Promise<void>
}
