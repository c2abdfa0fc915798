import * as v from 'valibot'
import { receiptKeys, timeoutMs } from '../topic/settings.js'

export { whyNot } from '../topic/settings.js'

/** The endpoint of a custom topic, as Azure gives it. Event Grid answers for no other host and no other path. */
const endpointForm = /^https:\/\/[a-z0-9-]{3,50}\.[a-z0-9]+-\d+\.eventgrid\.azure\.net\/api\/events$/i

/** The form of its settings in the configuration secret, beside kind and required. */
export const settings = v.strictObject({
  topic: v.pipe(v.string(), v.regex(endpointForm, 'must be the endpoint of a topic: https://NAME.REGION-1.eventgrid.azure.net/api/events')),
  receiptKeys,
  timeoutMs,
})
/** The settings with their defaults. */
export type EventGridSettings = v.InferOutput<typeof settings>
