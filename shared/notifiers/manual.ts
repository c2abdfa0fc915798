import * as v from 'valibot'
import type { Notifier } from '../core/ports/notifier.js'

export const settings = v.strictObject({
  /** Who does what; shown by status. */
  note: v.optional(v.pipe(v.string(), v.maxLength(500))),
})

/** A person follows: `keyturn seen <ref> --consumer NAME` is the evidence. Lost with the journal, it is asked for again. */
const manual: Notifier = {
  kind: 'manual',
  preflight: async () => ({ verdict: 'ok' }),
  advance: async (change, consumer, { receipt }) =>
    receipt?.received
      ? { phase: receipt.phase, evidence: `said by a person at ${new Date(receipt.at).toISOString()}` }
      : { phase: 'requested', evidence: `waits for: keyturn seen ${change.ref.shown} --consumer ${consumer.key}` },
  classify: () => 'internal',
}
/** Returns the same notifier each time: what a person said reaches it as the receipt. */
export const create = (): Notifier => manual
