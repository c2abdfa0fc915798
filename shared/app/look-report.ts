import type { Queue } from '../core/ports/queue.js'
import { look } from '../lifecycle/fleet/look.js'
import type { Deps } from '../lifecycle/secret/deps.js'

/** What one look over a fleet found. It names no value. */
export interface LookReport {
  readonly secrets: number
  readonly sent: number
  /** How many secrets could not be looked at; each is a line of the log, with its code. */
  readonly failed: number
  /** Whether the listing came to its end. */
  readonly complete: boolean
}

/** Looks at the whole fleet, and sends what is due. It throws what ends a listing, or what the queue says. */
export async function lookAtFleet(deps: Deps, queue: Queue): Promise<LookReport> {
  let [secrets, sent, failed] = [0, 0, 0]
  for await (const looked of look(deps, queue)) {
    secrets++
    sent += looked.sent
    if (looked.failure === undefined) continue
    failed++
    deps.env.log('look_failed', { ref: looked.ref, code: looked.failure.code, why: looked.failure.message })
  }
  const report = { secrets, sent, failed, complete: !deps.env.cancelled.aborted }
  deps.env.log('looked', { secrets, sent, failed, complete: String(report.complete) })
  return report
}
