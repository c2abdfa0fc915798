import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AzureIdentity } from './azure-identity.js'

/** An event that a topic took. */
export type TakenEvent = Readonly<Record<string, unknown>> & { readonly id: string }
/** One request, as it arrived; `status` is what it was answered, undefined for one that was cut. */
export interface GridCall {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  status: number | undefined
}
/** lost: taken, but the connection ends before the answer · cut: it ends before the event is taken · a status: refused with it, not taken. */
export type GridFault = 'lost' | 'cut' | number

/** A custom topic. */
export interface GridTopic {
  /** What it takes, which is chosen when it is made. */
  readonly inputSchema: 'CloudEventSchemaV1_0' | 'EventGridSchema'
  /** Whether the caller has the role EventGrid Data Sender on it. */
  maySend: boolean
  /** Whether its firewall refuses the caller's address. */
  refusesAddress: boolean
  readonly taken: TakenEvent[]
}

export const gridResource = 'https://eventgrid.azure.net'
const apiVersions = ['2018-01-01']
const bytesMax = 1_048_576
const structured = /^application\/cloudevents\+json(; ?charset=utf-8)?$/i
const batch = /^application\/cloudevents-batch\+json(; ?charset=utf-8)?$/i
const codes: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  413: 'PayloadTooLarge',
  415: 'UnsupportedMediaType',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
}

/**
 * Custom topics of Event Grid on loopback, by what the service's pages and its callers' issues say: the address and the statuses
 * (learn.microsoft.com/azure/event-grid/post-to-custom-topic), the token and the role (…/authenticate-with-microsoft-entra-id), 401 for a role that is
 * missing (Azure/azure-sdk-for-net#22831), 403 for an address (…/troubleshoot-errors), 415 for another content type
 * (arcus-azure/arcus.eventgrid#117). No real topic was asked. It delivers to nobody; its error texts are its own and quote what was sent, as the
 * service may. What it does not do: binary mode, access keys, a limit of events in a second.
 */
export class EventGridDouble {
  readonly calls: GridCall[] = []
  readonly topics = new Map<string, GridTopic>()
  /** Asked before each answer; `n` counts from 1. */
  fault: (call: GridCall, n: number) => GridFault | undefined = () => undefined
  readonly #identity: AzureIdentity
  readonly #server: Server

  private constructor(identity: AzureIdentity) {
    this.#identity = identity
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(Buffer.from(chunk))
      const { method = '', url: path = '/', headers } = request
      const call: GridCall = { method, host: headers.host ?? '', path, headers, body: Buffer.concat(chunks).toString(), status: undefined }
      this.calls.push(call)
      const fault = this.fault(call, this.calls.length)
      if (fault === 'cut') return void request.socket.destroy()
      const status = typeof fault === 'number' ? fault : this.#take(call)
      if (fault === 'lost') return void request.socket.destroy()
      call.status = status
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
      response.end(status === 200 ? '' : JSON.stringify(refusal(status, call.body)))
    })
  }
  static async open(identity: AzureIdentity): Promise<EventGridDouble> {
    const double = new EventGridDouble(identity)
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve))
    return double
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }
  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** Makes a topic that takes CloudEvents, or resets it. */
  makeTopic(host: string, more: Partial<GridTopic> = {}): GridTopic {
    const topic: GridTopic = { inputSchema: 'CloudEventSchemaV1_0', maySend: true, refusesAddress: false, taken: [], ...more }
    this.topics.set(host, topic)
    return topic
  }

  #take({ method, host, path, headers, body }: GridCall): number {
    const { pathname, searchParams } = new URL(path, 'http://grid')
    const topic = this.topics.get(host)
    if (topic === undefined || method !== 'POST' || pathname !== '/api/events') return 404
    if (!apiVersions.includes(searchParams.get('api-version') ?? '')) return 400
    if (topic.refusesAddress) return 403
    const [, token = ''] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? []
    if (this.#identity.judge(token, undefined, gridResource) !== true || !topic.maySend) return 401
    if (Buffer.byteLength(body) > bytesMax) return 413
    const events = eventsIn(topic, headers['content-type'] ?? '', body)
    if (typeof events === 'number') return events
    topic.taken.push(...events)
    return 200
  }
}

/** The events, or the status that refuses them. */
function eventsIn({ inputSchema }: GridTopic, contentType: string, body: string): readonly TakenEvent[] | number {
  const isBatch = batch.test(contentType)
  if (inputSchema === 'CloudEventSchemaV1_0' && !isBatch && !structured.test(contentType)) return 415
  const parsed = jsonIn(body)
  if (inputSchema === 'EventGridSchema') return 400 // it wants a list of events of another form
  const events: readonly unknown[] = isBatch ? (Array.isArray(parsed) ? parsed : [undefined]) : [parsed]
  return events.every(isCloudEvent) ? events : 400
}
function jsonIn(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined
    throw cause
  }
}

/** What CloudEvents 1.0 asks for (spec.md, 3.1): the required attributes, and names of lower-case letters and digits. */
function isCloudEvent(value: unknown): value is TakenEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const event: Readonly<Record<string, unknown>> = { ...value }
  const isText = (name: string) => typeof event[name] === 'string' && event[name] !== ''
  const names = Object.keys(event).filter((name) => name !== 'data' && name !== 'data_base64')
  const hasTime = event.time === undefined || (isText('time') && !Number.isNaN(Date.parse(String(event.time))))
  return event.specversion === '1.0' && ['id', 'source', 'type'].every(isText) && names.every((name) => /^[a-z0-9]+$/.test(name)) && hasTime
}

const refusal = (status: number, sent: string) => {
  const code = codes[status] ?? String(status)
  const message = `Refused. Report 'test' to our forums: ${sent}`
  return { error: { code, message, details: [{ code, message }] } }
}
