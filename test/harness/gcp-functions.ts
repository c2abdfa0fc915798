import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type CloudEventFunction, cloudEvent, type HttpFunction, http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'

/** What a caller sees of an answer. */
export interface Seen {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}
let count = 0

/** One function behind the framework's own server on loopback. */
export class ServedFunction {
  readonly #server: ReturnType<typeof getTestServer>
  private constructor(server: ReturnType<typeof getTestServer>) {
    this.#server = server
  }
  static http = (handler: HttpFunction): Promise<ServedFunction> => ServedFunction.#open((name) => http(name, handler))
  static events = (handler: CloudEventFunction<unknown>): Promise<ServedFunction> =>
    ServedFunction.#open((name) => cloudEvent(name, handler))
  static async #open(register: (name: string) => void): Promise<ServedFunction> {
    const name = `tested-${++count}`
    register(name)
    const server = getTestServer(name)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new ServedFunction(server)
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  async send(path: string, init: RequestInit): Promise<Seen> {
    const response = await fetch(this.url + path, init)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  /** As the platform's own callers do it: with a token. */
  post = (body: unknown, headers: Readonly<Record<string, string>> = { authorization: 'Bearer a-token-of-the-platform' }): Promise<Seen> =>
    this.send('/', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  close = (): Promise<void> =>
    new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
}

/** The body of a message of Pub/Sub, as a subscription delivers it. */
export const messageOf = (attributes: Readonly<Record<string, string>>, messageId = '1', data = '{}') => ({
  message: { messageId, publishTime: '2026-11-22T10:00:00Z', data: Buffer.from(data).toString('base64'), attributes },
  subscription: 'projects/p/subscriptions/s',
})
/** The headers of a CloudEvent in binary mode. */
export const eventHeaders = (id: string) => ({
  'ce-id': id,
  'ce-specversion': '1.0',
  'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
  'ce-source': '//pubsub.googleapis.com/projects/p/topics/t',
})
