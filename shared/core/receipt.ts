import * as v from 'valibot'
import { consumerPhases } from './ports/words.js'

export const receiptType = 'keyturn.receipt'

/** What a consumer reports in its signed answer or in a signed callback: how far it has come with the publication `id`. */
export const receiptForm = v.object({
  type: v.literal(receiptType),
  id: v.pipe(v.string(), v.maxLength(64)),
  phase: v.picklist(consumerPhases),
  /** Callbacks only: which secret and which consumer. */
  ref: v.optional(v.pipe(v.string(), v.maxLength(400))),
  consumer: v.optional(v.pipe(v.string(), v.maxLength(100))),
})
/** A receipt that has the right form. The notifier checks its signature. */
export type Receipt = v.InferOutput<typeof receiptForm>

/** undefined for a body that is not a receipt. */
export function readReceipt(body: string): Receipt | undefined {
  try {
    const result = v.safeParse(receiptForm, JSON.parse(body))
    return result.success ? result.output : undefined
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined
    throw cause
  }
}
