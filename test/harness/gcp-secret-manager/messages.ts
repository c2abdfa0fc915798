import type { StoredSecret } from './model.js'
import type { EventType } from './secrets.js'
import { jsonSecret, jsonVersion } from './views.js'

/** What Pub/Sub is handed for one topic. */
export interface PubSubMessage {
  readonly topic: string
  readonly messageId: string
  readonly publishTime: string
  readonly attributes: Readonly<Record<string, string>>
  /** The JSON of the secret or the version, in base64, never with its payload; absent with TOPIC_CONFIGURED. */
  readonly data?: string
}

/** One message for each topic of the secret. */
export function messagesOf(event: EventType, secret: StoredSecret, versionId: number | undefined, at: number, newId: () => string) {
  const version = secret.versions.find(({ id }) => id === versionId)
  const publishTime = new Date(at).toISOString()
  const data = Buffer.from(JSON.stringify(version === undefined ? jsonSecret(secret) : jsonVersion(secret, version))).toString('base64')
  const attributes = {
    eventType: event,
    dataFormat: 'JSON_API_V1',
    secretId: secret.name,
    timestamp: publishTime,
    ...(version === undefined ? {} : { versionId: `${secret.name}/versions/${version.id}` }),
  }
  return secret.topics.map((topic): PubSubMessage => {
    const sent = { topic, messageId: newId(), publishTime }
    return event === 'TOPIC_CONFIGURED' ? { ...sent, attributes: { eventType: event } } : { ...sent, attributes, data }
  })
}
