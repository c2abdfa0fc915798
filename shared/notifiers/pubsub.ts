import { HTTP } from 'cloudevents'
import { eventOf } from '../core/cloud-event.js'
import { settingsOf } from '../core/consumer-settings.js'
import { RotationError } from '../core/errors.js'
import { parsedJson } from '../core/json.js'
import type { Change, CheckCallback, Consumer, ConsumerState, Notifier, NotifierContext, Preflight } from '../core/ports/notifier.js'
import { RestClient } from '../core/rest/client.js'
import { SecretText } from '../core/secret-text.js'
import { whyNotSigned } from '../core/signature.js'
import { Credentials } from '../google/credentials.js'
import { refusedError } from '../google/refused.js'
import { aboutTopic } from '../google/topic.js'
import { type PubSubSettings, settings } from './pubsub/settings.js'

/**
 * A CloudEvent 1.0 on a topic of Pub/Sub, in the binary mode of its protocol binding; messages of one secret have one ordering key. That the topic took it is
 * all that this proves: a subscriber that signs a receipt proves more (docs/pubsub.md).
 */
const pubsub: Notifier = {
  kind: 'pubsub',
  preflight: async (consumer, context) => probe(settingsOf(settings, consumer), consumer, context),
  advance: async (change, consumer, context) => {
    const { receipt } = context
    if (receipt?.received && receipt.phase === 'drained')
      return { phase: 'drained', evidence: `receipt of ${new Date(receipt.at).toISOString()}` }
    // A topic keeps what it took, so that nothing is sent twice to find out more: a subscriber says so by itself.
    if (receipt?.phase === 'requested') return { phase: 'requested', evidence: 'the topic took it before' }
    return publish(settingsOf(settings, consumer), change, consumer, context)
  },
  classify: (cause) => (cause instanceof RotationError ? cause.code : 'internal'),
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

async function publish(wanted: PubSubSettings, change: Change, consumer: Consumer, context: NotifierContext): Promise<ConsumerState> {
  const body = JSON.stringify({ messages: [messageOf(change, consumer)] })
  const about = aboutTopic(wanted.topic, fieldOf(consumer))
  const url = urlOf(wanted, 'publish')
  const answer = await clientOf(wanted, context).call({ url, body }, { call: 'pubsub.topics.publish' }, (one) => refusedError(one, about))
  const id = idIn(answer.body)
  return { phase: 'requested', evidence: id === undefined ? 'the topic took it' : `the topic took it as message ${id}` }
}

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
async function probe(wanted: PubSubSettings, consumer: Consumer, context: NotifierContext): Promise<Preflight> {
  const about = aboutTopic(wanted.topic, fieldOf(consumer))
  const permissions = [about.permission]
  const asked = { url: urlOf(wanted, 'testIamPermissions'), body: JSON.stringify({ permissions }) }
  try {
    const { body } = await clientOf(wanted, context).call(asked, { call: 'pubsub.topics.testIamPermissions' }, (one) =>
      refusedError(one, about),
    )
    const answer = parsedJson(body)
    const held: unknown = typeof answer === 'object' && answer !== null && 'permissions' in answer ? answer.permissions : []
    if (Array.isArray(held) && held.includes(about.permission)) return { verdict: 'ok' }
    return {
      verdict: 'refuse',
      why: `${about.permission} is not granted on ${wanted.topic}, or the topic does not exist`,
      next: about.grant,
    }
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    const isCertain = cause.code === 'bad_config' || cause.code === 'denied'
    return isCertain ? { verdict: 'refuse', why: cause.message, next: cause.next } : { verdict: 'unknown', why: cause.message }
  }
}

/** The signature covers the time: a receipt that is sent again is as old as it was. */
export const checkCallback: CheckCallback = (consumer, { headers, body }, now) => {
  const keys = settingsOf(settings, consumer).receiptKeys.map((key) => new SecretText(key))
  const why = whyNotSigned(keys, headers, body, now)
  return why === undefined ? { signedAt: Number(headers['webhook-timestamp']) * 1000 } : { why }
}

/** Returns the same notifier each time: it keeps nothing of a consumer. */
export const create = (): Notifier => pubsub
