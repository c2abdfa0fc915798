import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { PubSubMessage } from './gcp-secret-manager/messages.js'
import { repository } from './repository.js'

const program = join(repository, '.cache/pubsub/pubsub')

/** False where Google's Pub/Sub is built from the sources that are here, else why what needs it is skipped. */
export function whyNoPubSub(): string | false {
  const sources = ['go.mod', 'go.sum', 'main.go'].map((name) => readFileSync(join(repository, 'test/servers/pubsub', name)))
  const wanted = createHash('sha256').update(Buffer.concat(sources)).digest('hex')
  const source = join(repository, '.cache/pubsub/source')
  const isBuilt = existsSync(source) && readFileSync(source, 'utf8').trim() === wanted
  return isBuilt ? false : "Google's Pub/Sub is not built; test/setup.sh does it where there is Go 1.26"
}

/** A message as Pub/Sub keeps it. `data` is base64. */
export interface Message {
  readonly messageId: string
  readonly publishTime: string
  readonly attributes?: Readonly<Record<string, string>>
  readonly data?: string
}
/** A message as a subscription hands it over. */
export interface Received {
  readonly ackId: string
  readonly message: Message
  /** How often it was handed over, this time included; only where the subscription has a policy of dead letters. */
  readonly deliveryAttempt?: number
}
/** What a subscription is made with; the names are Google's. */
export interface Subscription {
  readonly topic: string
  readonly filter?: string
  readonly ackDeadlineSeconds?: number
  readonly deadLetterPolicy?: { readonly deadLetterTopic: string; readonly maxDeliveryAttempts: number }
}
/** An answer of the service that is not 200. */
export class PubSubError extends Error {
  readonly status: number
  constructor(status: number, text: string) {
    super(`${status}: ${text}`)
    this.status = status
  }
}

/**
 * Google's own implementation of Pub/Sub (`pstest`) on loopback, by REST. What it does not do: it pushes nothing (see `Forwarder`), does not wait longer from
 * attempt to attempt, and counts the attempts of a message over all subscriptions of its topic. It takes empty messages, which the service refuses. A message
 * that went to the dead letters goes there again and again, with its own id and without the attributes that say where it came from.
 */
export class PubSub {
  readonly #child: ChildProcess
  /** The port of its REST interface. */
  readonly port: number
  readonly #published: Promise<unknown>[] = []
  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }
  static async open(): Promise<PubSub> {
    const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] })
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    return new PubSub(child, (JSON.parse(line) as { readonly rest: number }).rest)
  }
  /** The process ends when its standard input is closed. */
  async close(): Promise<void> {
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null || signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.stdin?.end()
    await ended
  }

  /** A call of the REST interface; PubSubError with what it answers otherwise. */
  async call<Answer>(verb: 'PUT' | 'POST', path: string, body: object = {}): Promise<Answer> {
    const headers = { authorization: 'Bearer a-token', 'content-type': 'application/json' }
    const response = await fetch(`http://127.0.0.1:${this.port}/v1/${path}`, { method: verb, headers, body: JSON.stringify(body) })
    if (response.status !== 200) throw new PubSubError(response.status, await response.text())
    return (await response.json()) as Answer
  }
  createTopic = (topic: string): Promise<object> => this.call('PUT', topic)
  createSubscription = (subscription: string, settings: Subscription): Promise<object> => this.call('PUT', subscription, settings)
  /** Resolves to the id of the message. */
  async publish(topic: string, attributes: Readonly<Record<string, string>>, data?: string): Promise<string> {
    const message = { attributes, ...(data === undefined ? {} : { data }) }
    const { messageIds } = await this.call<{ readonly messageIds: readonly string[] }>('POST', `${topic}:publish`, { messages: [message] })
    return messageIds[0] ?? ''
  }
  /** What is there now, in no order. It is not handed to anybody else until its deadline is over. */
  async pull(subscription: string, maxMessages = 100): Promise<readonly Received[]> {
    const body = { maxMessages, returnImmediately: true }
    const { receivedMessages = [] } = await this.call<{ readonly receivedMessages?: readonly Received[] }>(
      'POST',
      `${subscription}:pull`,
      body,
    )
    return receivedMessages
  }
  acknowledge = (subscription: string, ackId: string): Promise<object> =>
    this.call('POST', `${subscription}:acknowledge`, { ackIds: [ackId] })
  /** Hands it over again, at once. */
  refuse = (subscription: string, ackId: string): Promise<object> =>
    this.call('POST', `${subscription}:modifyAckDeadline`, { ackIds: [ackId], ackDeadlineSeconds: 0 })

  /** For the messages of the double of Secret Manager: publishes them in the order in which they come. `settled` waits for them. */
  readonly take = ({ topic, attributes, data }: PubSubMessage): void => {
    const before = this.#published.at(-1)
    this.#published.push((before ?? Promise.resolve()).then(() => this.publish(topic, attributes, data)))
  }
  /** Everything that was taken is published. Rejects if one of them was not. */
  async settled(): Promise<void> {
    await Promise.all(this.#published)
  }
}
