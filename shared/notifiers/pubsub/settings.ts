import * as v from 'valibot'
import { topicForm } from '../../google/topic.js'
import { receiptKeys, timeoutMs } from '../topic/settings.js'

export { whyNot } from '../topic/settings.js'

/** The form of its settings in the configuration secret, beside kind and required. */
export const settings = v.strictObject({
  topic: v.pipe(v.string(), v.regex(topicForm, 'must be projects/PROJECT/topics/TOPIC')),
  /** The region whose endpoint takes the messages: subscribers get those of one secret in order only if all come by one region. */
  location: v.exactOptional(v.pipe(v.string(), v.regex(/^[a-z]+-[a-z]+\d+$/, 'must be a region such as europe-west1'))),
  receiptKeys,
  timeoutMs,
})
/** The settings with their defaults. */
export type PubSubSettings = v.InferOutput<typeof settings>
