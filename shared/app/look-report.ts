import { optional } from '../core/optional.js'
import type { Env } from '../core/ports/env.js'
import type { Queue } from '../core/ports/queue.js'
import { type Looked, look } from '../lifecycle/fleet/look.js'
import type { Deps } from '../lifecycle/secret/deps.js'

/** What one look over a fleet found. It names no value. */
export interface LookReport {
  readonly secrets: number
  readonly sent: number
  /** How many secrets could not be looked at; each is a line of the log, with its code. */
  readonly failed: number
  /** How many are not rotated until a person looks. */
  readonly stuck: number
  /** How many are due and may not start, for another reason than their window. */
  readonly held: number
  /** How many have been due for longer than a working sweep lets them be. */
  readonly overdue: number
  /** The age of the oldest current value, of those with a schedule. */
  readonly oldestSeconds: number
  /** Whether the listing came to its end. */
  readonly complete: boolean
}

/** How many lines of one kind name their secrets in one look. The counters count all of them. */
const linesMax = 100

/**
 * Looks at the whole fleet, and sends what is due. Its last line in the log has the counters, so that an alert needs no more than that line. It throws
 * what ends a listing, or what the queue says; there is no last line then.
 */
export async function lookAtFleet(deps: Deps, queue: Queue): Promise<LookReport> {
  const counted = new Counters(deps.env)
  for await (const looked of look(deps, queue)) counted.add(looked)
  const report = { ...counted.report, complete: !deps.env.cancelled.aborted }
  deps.env.log('looked', { ...report, complete: String(report.complete) })
  return report
}

type Kind = 'look_failed' | 'stuck' | 'held' | 'overdue'

/** Counts in constant memory, however many secrets there are. */
class Counters {
  readonly #log: Env['log']
  #secrets = 0
  #sent = 0
  #oldestMs = 0
  readonly #lines: Record<Kind, number> = { look_failed: 0, stuck: 0, held: 0, overdue: 0 }
  constructor({ log }: Env) {
    this.#log = log
  }

  add({ ref, sent, failure, standing = {} }: Looked): void {
    const { stopped, held, overdueMs, ageMs = 0 } = standing
    this.#secrets++
    this.#sent += sent
    this.#oldestMs = Math.max(this.#oldestMs, ageMs)
    if (failure !== undefined) this.#say('look_failed', { ref, code: failure.code, why: failure.message })
    if (stopped !== undefined) this.#say('stuck', { ref, code: stopped })
    if (held !== undefined) this.#say('held', { ref, why: held })
    if (overdueMs !== undefined) this.#say('overdue', { ref, seconds: secondsOf(overdueMs), ...optional('why', held) })
  }
  #say(code: Kind, fields: Readonly<Record<string, string | number>>): void {
    this.#lines[code]++
    if (this.#lines[code] <= linesMax) this.#log(code, fields)
  }

  get report(): Omit<LookReport, 'complete'> {
    const { look_failed: failed, ...others } = this.#lines
    return { secrets: this.#secrets, sent: this.#sent, failed, ...others, oldestSeconds: secondsOf(this.#oldestMs) }
  }
}

const secondsOf = (ms: number): number => Math.floor(ms / 1000)
