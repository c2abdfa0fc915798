import { Credentials } from '../azure/credentials.js'
import { type About, refusedError } from '../azure/refused.js'
import { eventOf } from '../core/cloud-event.js'
import { settingsOf } from '../core/consumer-settings.js'
import type { Consumer, Notifier } from '../core/ports/notifier.js'
import { RestClient } from '../core/rest/client.js'
import { type EventGridSettings, settings } from './event-grid/settings.js'
import { checkReceipt, type Topic, topicNotifier } from './topic/notifier.js'

/** Who checks the token: https://learn.microsoft.com/azure/event-grid/authenticate-with-microsoft-entra-id */
const scope = 'https://eventgrid.azure.net/.default'
/** The first that takes a token: the same page. */
const apiVersion = '2018-01-01'
/** One event in the structured mode. A topic answers 415 to everything but this and a batch: https://github.com/arcus-azure/arcus.eventgrid/issues/117 */
const contentType = 'application/cloudevents+json; charset=utf-8'

/**
 * A CloudEvent 1.0 on a custom topic of Azure Event Grid whose input schema is CloudEvents (docs/event-grid.md). The answer of a topic is empty: it has
 * no id of its own for what it took.
 */
const topic: Topic<EventGridSettings> = {
  kind: 'event-grid',
  settingsOf: (consumer) => settingsOf(settings, consumer),
  // An announcement is repeated by itself, so that a call is made once.
  publish: async ({ topic: endpoint, timeoutMs }, change, consumer, { env }) => {
    const credentials = new Credentials(scope, endpoint)
    const client = new RestClient({ env, service: 'Event Grid', resource: endpoint, timeoutMs, credentials, repetitions: 0 })
    const url = new URL(`${endpoint}?api-version=${apiVersion}`)
    const about = aboutTopic(endpoint, consumer)
    const asked = { url, body: JSON.stringify(eventOf(change, consumer)), contentType }
    await client.call(asked, { call: 'eventgrid.events.send' }, (answer) => refusedError(answer, about))
    return undefined
  },
  /** Nothing asks a topic whether it would take an event. Whether there is a token for it can be asked: a refusal has to end by what can be asked, too. */
  probe: async ({ topic: endpoint, timeoutMs }) => {
    await new Credentials(scope, endpoint).access(AbortSignal.timeout(timeoutMs))
    return { verdict: 'ok', unproven: `only an event shows whether ${endpoint} takes one` }
  },
}

/** A role that is missing is 401, and an address that the topic's firewall refuses 403: both mean that a person has to look. */
function aboutTopic(endpoint: string, { key }: Pick<Consumer, 'key'>): About {
  const [name = ''] = new URL(endpoint).hostname.split('.')
  const field = `consumers.${key}.topic`
  const scopeOf = `$(az eventgrid topic show --name ${name} --resource-group GROUP --query id --output tsv)`
  return {
    service: 'Event Grid',
    resource: endpoint,
    kind: 'topic',
    permission: 'Microsoft.EventGrid/events/send/action',
    grant: `Grant it: az role assignment create --assignee OBJECT_ID --role "EventGrid Data Sender" --scope "${scopeOf}". If it is granted, look at the network rules of the topic.`,
    make: `Check ${field}: az eventgrid topic show --name ${name} --resource-group GROUP --query endpoint prints it.`,
    check: 'Check that the input schema of the topic is CloudEventSchemaV1_0, which is chosen when the topic is made.',
    field,
  }
}

export const checkCallback = checkReceipt(topic)
const eventGrid = topicNotifier(topic)
/** Returns the same notifier each time: it keeps nothing of a consumer. */
export const create = (): Notifier => eventGrid
