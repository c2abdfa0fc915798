import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Change, Consumer, NotifierContext } from '../../shared/core/ports/notifier.js'
import type { SecretRef, VersionId } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { FakeEnv } from './fake-env.js'

export const key = `whsec_${Buffer.from('a key of thirty-two bytes, or so').toString('base64')}`
export interface Got {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
export type Answer = (got: Got, response: ServerResponse) => void

/** A receiver on loopback that answers as it is told, and keeps what it got. */
export class WebhookServer {
  readonly got: Got[] = []
  answer: Answer = (_, response) => void response.writeHead(204).end()
  readonly #server: Server
  private constructor() {
    this.#server = createServer(async (request, response) => {
      const got = { headers: request.headers, body: await text(request) }
      this.got.push(got)
      this.answer(got, response)
    })
  }
  static async open(): Promise<WebhookServer> {
    const made = new WebhookServer()
    made.#server.listen(0, '127.0.0.1')
    await once(made.#server, 'listening')
    return made
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }
  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

export const env = new FakeEnv('webhook', Date.now())
export const ref: SecretRef = { store: storeKind('memory'), key: 'db', shown: 'memory:db', name: 'db' }
export const change: Change = {
  id: '7d1c4a6e-52c0-8f0b-a4d3-9f0c1b2a3d4e',
  ref,
  version: 'v2' as VersionId,
  previous: 'v1' as VersionId,
  sequence: env.now() - 5000,
  cause: 'rotation',
}
export const context = (): NotifierContext => ({ env, deadline: env.now() + 30_000 })
export const consumer = (port: number, more: object = {}): Consumer => ({
  key: 'billing',
  kind: 'webhook',
  required: true,
  settings: new SecretText(
    JSON.stringify({ url: `http://127.0.0.1:${port}/hook`, plaintext: true, allow: ['127.0.0.0/8'], keys: [key], ...more }),
  ),
})
