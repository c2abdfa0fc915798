import * as v from 'valibot'
import type { Notifier } from '../core/ports/notifier.js'

/** The form of its settings: it has none. */
export const settings = v.strictObject({})
/** Why no configuration may require it. */
export const whyNeverRequired = 'a log proves nothing, so it cannot be required'

/** Writes a line, for trials and where a log pipeline is the consumer. It proves nothing. */
const log: Notifier = {
  kind: 'log',
  preflight: async () => ({ verdict: 'ok' }),
  advance: async (change, consumer, { env }) => {
    env.log('published', {
      consumer: consumer.key,
      ref: change.ref.shown,
      id: change.id,
      version: change.version,
      cause: change.cause,
      sequence: change.sequence,
    })
    return { phase: 'requested', evidence: 'written to the log' }
  },
  classify: () => 'internal',
}
/** Returns the same notifier each time: it keeps nothing between calls. */
export const create = (): Notifier => log
