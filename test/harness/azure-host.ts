import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { QueueServiceClient } from '@azure/storage-queue'
import { QueuePump } from './azure-host/queue-pump.js'
import { type HostSettings, readHost } from './azure-host/settings.js'
import { type Metadata, type TypedData, Worker } from './azure-worker.js'

export const hostKey = 'the-key-of-the-host'
export const eventKey = 'the-key-of-event-grid'

/** What a caller sees. */
interface Seen {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

/**
 * A function app on loopback: the worker with what was deployed, and in front of it what the host does for each trigger. Event Grid posts to
 * /runtime/webhooks/EventGrid, a person starts a function by /admin/functions, callers of HTTP come by their routes with keys, and messages come from a
 * real queue (azure-host/queue-pump.ts). Facts: the documentation of the host; a worker that ends is started again, and what it was at has failed.
 */
export class FunctionHost {
  readonly #folder: string
  readonly #env: Readonly<Record<string, string>>
  readonly #settings: HostSettings
  readonly #main: string
  readonly #server: Server
  #worker: Worker
  #before = ''
  readonly #pump: QueuePump | undefined

  private constructor(
    { folder, env, main, settings }: { folder: string; env: Readonly<Record<string, string>>; main: string; settings: HostSettings },
    worker: Worker,
    queues: QueueServiceClient | undefined,
  ) {
    this.#folder = folder
    this.#env = env
    this.#main = main
    this.#settings = settings
    this.#worker = worker
    this.#server = createServer((request, response) => void this.#serve(request, response))
    const triggered = worker.functions.flatMap((one) => (triggerOf(one).type === 'queueTrigger' ? [one] : []))
    if (queues) this.#pump = new QueuePump(queues, settings.queues, triggered, (name, data) => this.invoke(name, data))
  }
  /** `folder`: where the archive is unpacked. `queues`: where the app's storage account is; absent: nothing is taken from queues. */
  static async start(folder: string, env: Readonly<Record<string, string>>, queues?: QueueServiceClient): Promise<FunctionHost> {
    const { main } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { main: string }
    const settings = readHost(await readFile(join(folder, 'host.json'), 'utf8'), env)
    const host = new FunctionHost({ folder, env, main, settings }, await Worker.start(folder, main, env), queues)
    await new Promise<void>((resolve) => host.#server.listen(0, '127.0.0.1', resolve))
    host.#pump?.start()
    return host
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  get functions(): readonly Metadata[] {
    return this.#worker.functions
  }
  /** What all its workers have written. */
  get log(): string {
    return this.#before + this.#worker.log
  }
  get worker(): Worker {
    return this.#worker
  }
  /** Whether nothing runs, and no message is on its way. */
  get isQuiet(): boolean {
    return this.#worker.running === 0 && (this.#pump?.underWay ?? 0) === 0
  }
  /** Another worker takes the place of one that ended. */
  async restart(): Promise<void> {
    await this.#worker.ended
    this.#before += this.#worker.log
    this.#worker = await Worker.start(this.#folder, this.#main, { ...this.#env, KEYTURN_TEST_AHEAD_MS: String(this.#aheadMs) })
  }
  #aheadMs = 0
  /** The clocks of its workers are so far ahead of this machine's. */
  setAhead(aheadMs: number): void {
    this.#aheadMs = aheadMs
    this.#worker.setAhead(aheadMs)
  }
  invoke = (name: string, data: TypedData): Promise<TypedData | undefined> => this.#worker.invoke(name, data)

  /** The timer of a function goes off. */
  async timer(name: string): Promise<void> {
    const now = new Date().toISOString()
    const timer = { Schedule: { AdjustForDST: true }, ScheduleStatus: { Last: now, LastUpdated: now, Next: now }, IsPastDue: false }
    await this.invoke(name, { json: JSON.stringify(timer) })
  }
  /** Delivers as Event Grid does: an array, whatever it holds. */
  async deliver(name: string, events: unknown): Promise<number> {
    const sent = await fetch(`${this.url}/runtime/webhooks/EventGrid?functionName=${name}&code=${eventKey}`, {
      method: 'POST',
      headers: { 'aeg-event-type': 'Notification', 'content-type': 'application/json' },
      body: JSON.stringify(events),
    })
    await sent.arrayBuffer()
    return sent.status
  }

  async stop(): Promise<string> {
    await this.#pump?.stop()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    await this.#worker.terminate()
    return this.log
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const seen = await this.#answer(request, Buffer.concat(chunks)).catch((cause: unknown) => ({ status: 500, body: String(cause) }))
    response.writeHead(seen.status, { ...('headers' in seen ? seen.headers : {}) })
    response.end(seen.body)
  }

  async #answer(request: IncomingMessage, body: Buffer): Promise<Seen> {
    const url = new URL(request.url ?? '/', this.url)
    if (url.pathname === '/runtime/webhooks/EventGrid') return this.#event(request, url, body)
    const [, admin] = /^\/admin\/functions\/([^/]+)$/.exec(url.pathname) ?? []
    if (admin !== undefined) {
      if (request.headers['x-functions-key'] !== hostKey) return { status: 401 }
      await this.timer(admin)
      return { status: 202 }
    }
    return this.#http(request, url, body)
  }

  /** The extension answers 202 where every event of the request was worked off, and 500 where one was not. */
  async #event({ headers }: IncomingMessage, url: URL, body: Buffer): Promise<Seen> {
    if (url.searchParams.get('code') !== eventKey) return { status: 401 }
    if (headers['aeg-event-type'] === 'SubscriptionValidation') {
      const [first] = JSON.parse(body.toString()) as readonly { data: { validationCode: string } }[]
      return { status: 200, body: JSON.stringify({ validationResponse: first?.data.validationCode }) }
    }
    const parsed: unknown = JSON.parse(body.toString())
    const events: readonly unknown[] = Array.isArray(parsed) ? parsed : [parsed]
    const name = url.searchParams.get('functionName') ?? ''
    const ends = await Promise.allSettled(events.map((event) => this.invoke(name, { json: JSON.stringify(event) })))
    return { status: ends.every(({ status }) => status === 'fulfilled') ? 202 : 500 }
  }

  async #http(request: IncomingMessage, url: URL, body: Buffer): Promise<Seen> {
    const path = url.pathname.slice(1)
    const found = this.functions.find((one) => {
      const { type, route } = triggerOf(one)
      if (type !== 'httpTrigger') return false
      const whole = `${this.#settings.routePrefix}${String(route)}`
      return whole === path || whole === '{*path}'
    })
    if (found === undefined) return { status: 404 }
    const { methods, authLevel } = triggerOf(found)
    if (Array.isArray(methods) && !methods.map(String).includes(request.method ?? '')) return { status: 404 }
    const given = request.headers['x-functions-key'] ?? url.searchParams.get('code')
    if (authLevel !== 'anonymous' && given !== hostKey) return { status: 401 }
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
    const query = Object.fromEntries(url.searchParams)
    const http = { method: request.method ?? '', url: url.href, headers, query, params: {}, body: { bytes: body } }
    const answer = (await this.invoke(found.name, { http }))?.http
    return {
      status: Number(answer?.statusCode ?? 204),
      headers: answer?.headers ?? {},
      ...(answer?.body?.bytes ? { body: answer.body.bytes } : {}),
    }
  }
}

/** The binding by which a function is triggered. */
export const triggerOf = ({ bindings }: Metadata) => {
  const found = Object.values(bindings).find(({ direction, type }) => direction === 'in' && type.endsWith('Trigger'))
  if (found === undefined) throw new Error('A function without a trigger.')
  return found
}
