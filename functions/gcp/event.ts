import * as v from 'valibot'
import { RotationError } from '../../shared/core/errors.js'

/** What an event of the secrets' topic asks for; undefined for everything that asks for nothing. */
export type EventAsks =
  | { readonly action: 'rotate'; readonly ref: string; readonly at: number }
  | { readonly action: 'announce'; readonly ref: string; readonly cause: string }

const messageType = 'google.cloud.pubsub.topic.v1.messagePublished'
const name = v.pipe(v.string(), v.regex(/^projects\/[^/\s]+(\/locations\/[^/\s]+)?\/secrets\/[^/\s]+$/))
const attributes = v.object({
  eventType: v.string(),
  secretId: v.exactOptional(name),
  versionId: v.exactOptional(v.string()),
  timestamp: v.exactOptional(v.string()),
})
const form = v.object({
  type: v.literal(messageType),
  data: v.object({ message: v.object({ attributes, messageId: v.exactOptional(v.string()) }) }),
})

/**
 * Reads a CloudEvent of the topic to which Secret Manager sends. A notice of rotation asks for one as of its own time, so that the same notice again asks
 * for nothing. A version that was added is to be announced. The staging places, and what a rotation itself changes, ask for nothing. bad_event for what
 * is no such event.
 */
export function readEvent(event: unknown): EventAsks | undefined {
  const result = v.safeParse(form, event)
  if (!result.success) return failEvent(result.issues[0].path?.map(({ key }) => String(key)).join('.') ?? 'event')
  const { eventType, secretId, versionId, timestamp } = result.output.data.message.attributes
  if (eventType !== 'SECRET_ROTATE' && eventType !== 'SECRET_VERSION_ADD') return undefined
  if (secretId === undefined) return failEvent('data.message.attributes.secretId')
  if (secretId.endsWith('--pending')) return undefined
  const ref = `gcp:${secretId}`
  if (eventType === 'SECRET_VERSION_ADD')
    return { action: 'announce', ref, cause: `event ${versionId ?? result.output.data.message.messageId}` }
  const at = Date.parse(timestamp ?? '')
  return Number.isNaN(at) ? failEvent('data.message.attributes.timestamp') : { action: 'rotate', ref, at }
}

function failEvent(field: string): never {
  throw new RotationError('bad_event', `The event is not one of a secret: its field ${field} is not readable.`, {
    field,
    next: 'Only the topic of the secrets may be the source of this function.',
  })
}
