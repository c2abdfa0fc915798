import { setTimeout as delay } from 'node:timers/promises'
import { type DequeuedMessageItem, type QueueClient, type QueueServiceClient, RestError } from '@azure/storage-queue'
import type { Metadata, TypedData } from '../azure-worker.js'
import type { QueueSettings } from './settings.js'

const pollMs = 50
/** How long a message that was taken is hidden while its function runs: the host takes ten minutes, and renews that. */
const hiddenSeconds = 600

/**
 * Takes messages from the queues that functions name, and deletes each after its function. What failed is visible again after the time of host.json, and goes to
 * NAME-poison after it was taken so often. What was underway when the host ended is visible again when its time is over.
 */
export class QueuePump {
  readonly #queues: QueueServiceClient
  readonly #settings: QueueSettings
  readonly #triggered: readonly Metadata[]
  readonly #invoke: (name: string, data: TypedData) => Promise<unknown>
  readonly #stopped = new AbortController()
  #pumps: readonly Promise<void>[] = []
  underWay = 0
  constructor(
    queues: QueueServiceClient,
    settings: QueueSettings,
    triggered: readonly Metadata[],
    invoke: (name: string, data: TypedData) => Promise<unknown>,
  ) {
    this.#queues = queues
    this.#settings = settings
    this.#triggered = triggered
    this.#invoke = invoke
  }
  start(): void {
    this.#pumps = this.#triggered.map(({ name, bindings }) => {
      const queueName = Object.values(bindings).find(({ type }) => type === 'queueTrigger')?.queueName
      return this.#pump(name, this.#queues.getQueueClient(String(queueName)))
    })
  }
  async stop(): Promise<void> {
    this.#stopped.abort()
    await Promise.all(this.#pumps)
  }

  async #pump(name: string, queue: QueueClient): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const { batchSize: numberOfMessages } = this.#settings
      const items = await taken(queue, numberOfMessages)
      this.underWay += items.length
      await Promise.all(items.map((item) => this.#one(name, queue, item).finally(() => this.underWay--)))
      if (items.length === 0) await delay(pollMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined)
    }
  }
  async #one(name: string, queue: QueueClient, { messageId, popReceipt, messageText, dequeueCount }: DequeuedMessageItem): Promise<void> {
    const { isBase64, visibilityTimeoutMs, maxDequeueCount } = this.#settings
    const text = isBase64 ? Buffer.from(messageText, 'base64').toString() : messageText
    try {
      await this.#invoke(name, isJson(text) ? { json: text } : { string: text })
      await queue.deleteMessage(messageId, popReceipt)
    } catch {
      if (dequeueCount >= maxDequeueCount) {
        const poison = this.#queues.getQueueClient(`${queue.name}-poison`)
        await poison.createIfNotExists()
        await poison.sendMessage(messageText)
        await queue.deleteMessage(messageId, popReceipt)
      } else await queue.updateMessage(messageId, popReceipt, messageText, Math.ceil(visibilityTimeoutMs / 1000))
    }
  }
}

/** Nothing while there is no such queue, as the host has it. */
async function taken(queue: QueueClient, numberOfMessages: number): Promise<readonly DequeuedMessageItem[]> {
  try {
    return (await queue.receiveMessages({ numberOfMessages, visibilityTimeout: hiddenSeconds })).receivedMessageItems
  } catch (cause) {
    if (cause instanceof RestError && cause.statusCode === 404) return []
    throw cause
  }
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object'
  } catch {
    return false
  }
}
