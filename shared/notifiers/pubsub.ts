import { HTTP } from 'cloudevents'
import { eventOf } from '../core/cloud-event.js'
import { settingsOf } from '../core/consumer-settings.js'
import { parsedJson } from '../core/json.js'
import type { Change, Consumer, Notifier, NotifierContext, Preflight } from '../core/ports/notifier.js'
import { RestClient } from '../core/rest/client.js'
import { Credentials } from '../google/credentials.js'
import { type About, refusedError } from '../google/refused.js'
import { aboutTopic } from '../google/topic.js'
import { type PubSubSettings, settings } from './pubsub/settings.js'
import { checkReceipt, type Topic, topicNotifier } from './topic/notifier.js'

/**
 * A CloudEvent 1.0 on a topic of Pub/Sub, in the binary mode of its protocol binding; messages of one secret have one ordering key (docs/pubsub.md).
 */
const topic: Topic<PubSubSettings> = {
  kind: 'pubsub',
  settingsOf: (consumer) => settingsOf(settings, consumer),
  publish: async (wanted, change, consumer, context) => {
    const body = JSON.stringify({ messages: [messageOf(change, consumer)] })
    const about = aboutTopic(wanted.topic, fieldOf(consumer))
    const url = urlOf(wanted, 'publish')
    const answer = await clientOf(wanted, context).call({ url, body }, { call: 'pubsub.topics.publish' }, (one) => refusedError(one, about))
    return idIn(answer.body)
  },
  probe: async (wanted, consumer, context) => probe(wanted, aboutTopic(wanted.topic, fieldOf(consumer)), context),
}

const kept = new Map<string, Credentials>()
/** An announcement is repeated by itself, so that a call is made once. */
function clientOf({ topic, timeoutMs }: PubSubSettings, { env }: NotifierContext): RestClient {
  const credentials = kept.get(topic) ?? new Credentials(topic)
  kept.set(topic, credentials)
  return new RestClient({ env, service: 'Pub/Sub', resource: topic, timeoutMs, credentials, repetitions: 0 })
}
const urlOf = ({ topic, location }: PubSubSettings, method: string): URL =>
  new URL(`https://${location === undefined ? '' : `${location}-`}pubsub.googleapis.com/v1/${topic}:${method}`)
const fieldOf = ({ key }: Pick<Consumer, 'key'>): string => `consumers.${key}.topic`

/** Attributes of the event are attributes of the message with `ce-` before them, and its data is the data. */
function messageOf(change: Change, consumer: Consumer) {
  const { headers, body } = HTTP.binary(eventOf(change, consumer))
  const attributes = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)])
  return {
    attributes: Object.fromEntries(attributes) as Readonly<Record<string, string>>,
    data: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)).toString('base64'),
    orderingKey: change.ref.shown,
  }
}

function idIn(body: string): string | undefined {
  const answer = parsedJson(body)
  const ids: unknown = typeof answer === 'object' && answer !== null && 'messageIds' in answer ? answer.messageIds : undefined
  const id: unknown = Array.isArray(ids) ? ids[0] : undefined
  return typeof id === 'string' && /^\d{1,40}$/.test(id) ? id : undefined
}

/** Asks whether it may publish, which needs no permission and sends nothing. */
async function probe(wanted: PubSubSettings, about: About, context: NotifierContext): Promise<Preflight> {
  const permissions = [about.permission]
  const asked = { url: urlOf(wanted, 'testIamPermissions'), body: JSON.stringify({ permissions }) }
  const client = clientOf(wanted, context)
  const { body } = await client.call(asked, { call: 'pubsub.topics.testIamPermissions' }, (one) => refusedError(one, about))
  const answer = parsedJson(body)
  const held: unknown = typeof answer === 'object' && answer !== null && 'permissions' in answer ? answer.permissions : []
  if (Array.isArray(held) && held.includes(about.permission)) return { verdict: 'ok' }
  return {
    verdict: 'refuse',
    why: `${about.permission} is not granted on ${wanted.topic}, or the topic does not exist`,
    next: about.grant,
  }
}

export const checkCallback = checkReceipt(topic)
const pubsub = topicNotifier(topic)
/** Returns the same notifier each time: it keeps nothing of a consumer. */
export const create = (): Notifier => pubsub
