import * as v from 'valibot'
import type { Notifier } from '../core/ports/notifier.js'

/** The form of its settings. */
export const settings = v.strictObject({
  /** Who does what. status shows it. */
  note: v.optional(v.pipe(v.string(), v.maxLength(500))),
})

/** A person brings the consumer up to date. The evidence is `keyturn seen <ref> --consumer NAME`; where it is lost with the journal, it is asked for again. */
const manual: Notifier = {
  kind: 'manual',
  preflight: async () => ({ verdict: 'ok' }),
  advance: async (change, consumer, { receipt }) => {
    if (!receipt?.received) {
      const command = `keyturn seen ${change.ref.shown} --consumer ${consumer.key}`
      return { phase: 'requested', evidence: `waits for: ${command}` }
    }
    const at = new Date(receipt.at).toISOString()
    return { phase: receipt.phase, evidence: `said by a person at ${at}` }
  },
  classify: () => 'internal',
}
/** Returns the same notifier each time: what a person said reaches it as the receipt. */
export const create = (): Notifier => manual
