import { setTimeout as delay } from 'node:timers/promises'
import type { PubSub, Received } from './pubsub.js'

/**
 * What a function is sent: an event in binary mode, as Eventarc does it · an event in structured mode · the body of a push subscription, whose address ends
 * in the name of the topic.
 */
export const pushForms = ['binary', 'structured', 'push'] as const
export type PushForm = (typeof pushForms)[number]

/** An attempt to deliver a message: the receiver's status; undefined where it gave none. */
export interface Pushed {
  readonly messageId: string
  readonly attempt: number | undefined
  readonly status: number | undefined
}
/** From where, what and where to. */
export interface Route {
  readonly subscription: string
  readonly topic: string
  readonly form: PushForm
  /** Asked for each message; undefined: nobody is there. */
  readonly to: () => string | undefined
}

const passesMax = 50
const eventType = 'google.cloud.pubsub.topic.v1.messagePublished'

/** Delivers what a subscription has, as the service pushes it: an answer of 2xx ends a message, and after everything else it comes again. */
export class Forwarder {
  readonly pushed: Pushed[] = []
  readonly #pubsub: PubSub
  readonly #route: Route
  #isRunning = false
  #run: Promise<void> | undefined
  constructor(pubsub: PubSub, route: Route) {
    this.#pubsub = pubsub
    this.#route = route
  }

  /** Delivers what is there now, everything at once. */
  async pass(): Promise<readonly Pushed[]> {
    const received = await this.#pubsub.pull(this.#route.subscription)
    return Promise.all(received.map((one) => this.#deliver(one)))
  }
  /** Delivers until nothing is left. What fails comes again; an error where that does not end. */
  async drain(): Promise<void> {
    for (let passes = 0; (await this.pass()).length > 0; passes++)
      if (passes > passesMax) throw new Error(`After ${passes} passes ${this.#route.subscription} still has messages.`)
  }
  /** From now on it delivers by itself, until `stop`. A message that is on its way holds no other one up. */
  start(everyMs: number): void {
    this.#isRunning = true
    this.#run = this.#work(everyMs)
  }
  async stop(): Promise<void> {
    this.#isRunning = false
    await this.#run
  }
  async #work(everyMs: number): Promise<void> {
    const underway = new Set<Promise<void>>()
    while (this.#isRunning) {
      for (const one of await this.#pubsub.pull(this.#route.subscription)) {
        const pushed = this.#deliver(one).then(() => void underway.delete(pushed))
        underway.add(pushed)
      }
      await delay(everyMs)
    }
    await Promise.all(underway)
  }

  async #deliver({ ackId, message, deliveryAttempt }: Received): Promise<Pushed> {
    const { subscription } = this.#route
    const status = await this.#post({ ackId, message, ...(deliveryAttempt === undefined ? {} : { deliveryAttempt }) })
    const pushed = { messageId: message.messageId, attempt: deliveryAttempt, status }
    this.pushed.push(pushed)
    const isTaken = status !== undefined && status >= 200 && status < 300
    await (isTaken ? this.#pubsub.acknowledge(subscription, ackId) : this.#pubsub.refuse(subscription, ackId))
    return pushed
  }
  async #post(received: Received): Promise<number | undefined> {
    const to = this.#route.to()
    if (to === undefined) return undefined
    const { path, headers, body } = requestOf(this.#route, received)
    const sent = fetch(to + path, { method: 'POST', headers: { authorization: 'Bearer a-token', ...headers }, body: JSON.stringify(body) })
    return sent.then(
      async (answer) => {
        await answer.arrayBuffer()
        return answer.status
      },
      () => undefined, // the process ended: the attempt failed
    )
  }
}

/** The request that delivers a message. Both spellings of the two names are in it, as in the service's own. */
function requestOf({ subscription, topic, form }: Route, { message, deliveryAttempt }: Received) {
  const { messageId, publishTime } = message
  const body = {
    message: { ...message, message_id: messageId, publish_time: publishTime },
    subscription,
    ...(deliveryAttempt === undefined ? {} : { deliveryAttempt }),
  }
  if (form === 'push') return { path: `/${topic}`, headers: { 'content-type': 'application/json' }, body }
  const event = { id: messageId, specversion: '1.0', type: eventType, source: `//pubsub.googleapis.com/${topic}`, time: publishTime }
  if (form === 'structured') {
    const structured = { ...event, datacontenttype: 'application/json', data: body }
    return { path: '/', headers: { 'content-type': 'application/cloudevents+json' }, body: structured }
  }
  const attributes = Object.entries(event).map(([name, value]) => [`ce-${name}`, value])
  return { path: '/', headers: { 'content-type': 'application/json', ...Object.fromEntries(attributes) }, body }
}
