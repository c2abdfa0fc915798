import * as v from 'valibot'
import { keyOfConfiguration } from '../../core/signature.js'
import { topicForm } from '../../google/topic.js'

/** The form of its settings in the configuration secret, beside kind and required. */
export const settings = v.strictObject({
  topic: v.pipe(v.string(), v.regex(topicForm, 'must be projects/PROJECT/topics/TOPIC')),
  /** The region whose endpoint takes the messages: subscribers get those of one secret in order only if all come by one region. */
  location: v.exactOptional(v.pipe(v.string(), v.regex(/^[a-z]+-[a-z]+\d+$/, 'must be a region such as europe-west1'))),
  /** Keys (whsec_, whpk_) of a subscriber, which signs its receipts with them. */
  receiptKeys: v.optional(
    v.pipe(v.array(v.pipe(keyOfConfiguration, v.regex(/^wh(sec|pk)_/, 'must be whsec_ or whpk_: it only checks'))), v.maxLength(3)),
    [],
  ),
  timeoutMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(100), v.maxValue(25_000)), 10_000),
})
/** Why the settings cannot work together; undefined where they can. */
export const whyNot = ({ receiptKeys }: PubSubSettings, required: boolean): string | undefined =>
  required && receiptKeys.length === 0 ? 'is required, but has no key in receiptKeys that could prove a receipt' : undefined

/** The settings with their defaults. `timeoutMs` is for one call. */
export type PubSubSettings = v.InferOutput<typeof settings>
