import * as v from 'valibot'
import { keyOfConfiguration } from '../../core/signature.js'

/** Keys (whsec_, whpk_) of a subscriber, which signs its receipts with them. */
export const receiptKeys = v.optional(
  v.pipe(v.array(v.pipe(keyOfConfiguration, v.regex(/^wh(sec|pk)_/, 'must be whsec_ or whpk_: it only checks'))), v.maxLength(3)),
  [],
)
/** For one call. */
export const timeoutMs = v.optional(v.pipe(v.number(), v.integer(), v.minValue(100), v.maxValue(25_000)), 10_000)

/** What the settings of every topic have. */
export interface TopicSettings {
  readonly receiptKeys: readonly string[]
  readonly timeoutMs: number
}

/** Why the settings cannot work together; undefined where they can. */
export const whyNot = ({ receiptKeys: keys }: Pick<TopicSettings, 'receiptKeys'>, required: boolean): string | undefined =>
  required && keys.length === 0 ? 'is required, but has no key in receiptKeys that could prove a receipt' : undefined
