import { Agent, type IncomingMessage, request as open } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type HttpOperationResponse, type IHttpClient, RestError, type StoragePipelineOptions, type WebResource } from '@azure/storage-blob'
import type { Azurite } from './azurite.js'

/**
 * lost: done, but the connection ends before the answer · cut: the connection ends before it is done · unavailable, internal, throttle: refused as
 * the service refuses, not done · late: done, and the service says that its time was over.
 */
export type BlobFault =
  | 'lost'
  | 'cut'
  | 'unavailable'
  | 'internal'
  | 'throttle'
  | 'late'
  /** Done after so long. */
  | { readonly slowMs: number }
  /** Done when the test lets it. */
  | { readonly delayed: Promise<unknown> }
  /** Done, and answered when the test lets it. */
  | { readonly held: Promise<unknown> }
  /** Answered instead, not done. */
  | { readonly status: number; readonly code: string; readonly message?: string }

/** create: a write that is done only where nothing is there · look: the properties alone · container: whatever is done to a container itself. */
export type BlobOperation =
  | 'read'
  | 'look'
  | 'list'
  | 'create'
  | 'write'
  | 'delete'
  | 'acquire'
  | 'renew'
  | 'change'
  | 'release'
  | 'break'
  | 'container'

export interface BlobCall {
  readonly operation: BlobOperation
  readonly method: string
  readonly container: string
  /** Empty where it is about a container. */
  readonly blob: string
  /** The lease that it is done under, or that it is about: where one is acquired, the one that is proposed. */
  readonly lease: string | undefined
  readonly ifMatch: string | undefined
  /** The token of Microsoft Entra ID that it was sent with. */
  readonly token: string | undefined
}

type Emulator = Pick<Azurite, 'endpoint' | 'signature'>
type Headers = Readonly<Record<string, string>>

const leaseActions = ['acquire', 'renew', 'change', 'release', 'break'] as const
/** The words of the service. It throttles by ServerBusy, too. */
const refusals = {
  unavailable: {
    status: 503,
    code: 'ServerBusy',
    message: 'The server is currently unable to receive requests. Please retry your request.',
  },
  internal: { status: 500, code: 'InternalError', message: 'The server encountered an internal error. Please retry the request.' },
  throttle: { status: 503, code: 'ServerBusy', message: 'Operations per second is over the account limit.' },
  late: { status: 500, code: 'OperationTimedOut', message: 'The operation could not be completed within the permitted time.' },
}

/**
 * What stands between the vendor's client of blobs and an emulator without TLS: it counts calls and makes them fail. What passes is sent as the
 * client sends it by itself. A repetition by the client is a call of its own. A client that is made for an account of Azure
 * (`https://….blob.core.windows.net`), whichever, reaches the emulator as well: where it sends a token, which the emulator does not take without TLS,
 * the emulator's own signature stands for it.
 */
export class BlobFaults implements IHttpClient {
  readonly calls: BlobCall[] = []
  /** Asked before each call is sent; `n` counts from 1. */
  fault: (call: BlobCall, n: number) => BlobFault | undefined = () => undefined
  readonly #agent = new Agent({ keepAlive: true })
  readonly #emulator: Emulator
  constructor(emulator: Emulator) {
    this.#emulator = emulator
  }

  /** What a client is made with: it makes each call once. */
  get options(): StoragePipelineOptions {
    return { httpClient: this, retryOptions: { maxTries: 1 } }
  }
  count = (...operations: readonly BlobOperation[]): number => this.calls.filter(({ operation }) => operations.includes(operation)).length
  /** As if no call had been made; nothing fails. */
  reset(): void {
    this.calls.length = 0
    this.fault = () => undefined
  }
  close(): void {
    this.#agent.destroy()
  }

  /** For the client alone. */
  async sendRequest(request: WebResource): Promise<HttpOperationResponse> {
    const call = blobCallOf(request)
    this.calls.push(call)
    const fault = this.fault(call, this.calls.length)
    return untilAborted(request, () => this.#answer(request, fault))
  }
  async #answer(request: WebResource, fault: BlobFault | undefined): Promise<HttpOperationResponse> {
    if (fault === 'cut') throw hungUp()
    if (fault === 'unavailable' || fault === 'internal' || fault === 'throttle') return refusal(request, refusals[fault])
    if (typeof fault === 'object') {
      if ('status' in fault) return refusal(request, { message: 'As the test says.', ...fault })
      if ('slowMs' in fault) await delay(fault.slowMs)
      if ('delayed' in fault) await fault.delayed
    }
    const answer = await send(request, this.#emulator, this.#agent)
    if (fault === 'lost' || fault === 'late') answer.readableStreamBody?.resume() // else nothing else goes over its connection
    if (fault === 'lost') throw hungUp()
    if (fault === 'late') return refusal(request, refusals.late)
    if (typeof fault === 'object' && 'held' in fault) await fault.held
    return answer
  }
}

/** What a call is, from what is sent. */
export function blobCallOf({ method, url, headers }: WebResource): BlobCall {
  const { hostname, pathname, searchParams } = new URL(url)
  // An emulator has the account in its path, Azure in the name of its host.
  const [container = '', ...rest] = pathname.split('/').slice(hostname === '127.0.0.1' ? 2 : 1)
  const blob = decodeURIComponent(rest.join('/'))
  const lease = headers.get('x-ms-lease-id') ?? headers.get('x-ms-proposed-lease-id')
  const operation = operationOf(method, blob, searchParams, (name) => headers.get(name))
  return { operation, method, container, blob, lease, ifMatch: headers.get('if-match'), token: tokenOf(headers) }
}
const tokenOf = (headers: WebResource['headers']): string | undefined => /^Bearer (.+)$/.exec(headers.get('authorization') ?? '')?.[1]
function operationOf(method: string, blob: string, query: URLSearchParams, header: (name: string) => string | undefined): BlobOperation {
  if (query.get('comp') === 'list') return 'list'
  if (blob === '') return 'container'
  const action = query.get('comp') === 'lease' ? leaseActions.find((name) => name === header('x-ms-lease-action')) : undefined
  if (action !== undefined) return action
  if (method === 'GET') return 'read'
  if (method === 'HEAD') return 'look'
  if (method === 'DELETE') return 'delete'
  return header('if-none-match') === '*' ? 'create' : 'write'
}

/** What the client's own way to send throws where the server ends a connection: no status, the code of the socket. */
const hungUp = (): RestError => new RestError('socket hang up', { code: 'ECONNRESET' })

/** Headers can be made only from those of the request: the client exports their type alone. */
function answer(request: WebResource, status: number, headers: Iterable<readonly [string, string]>): HttpOperationResponse {
  const made = request.headers.clone()
  for (const name of made.headerNames()) made.remove(name)
  for (const [name, value] of headers) made.set(name, value)
  return { request, status, headers: made }
}
function refusal(
  request: WebResource,
  { status, code, message }: { status: number; code: string; message: string },
): HttpOperationResponse {
  const headers = [['x-ms-error-code', code] as const, ['content-type', 'application/xml'] as const]
  const bodyAsText = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`
  return { ...answer(request, status, headers), ...(request.method === 'HEAD' ? {} : { bodyAsText }) }
}

/** Where a call goes, and with which headers. */
function routed({ url, headers }: WebResource, { endpoint, signature }: Emulator): { readonly to: string; readonly headers: Headers } {
  if (!url.startsWith('https:')) return { to: url, headers: headers.rawHeaders() }
  const to = new URL(url)
  const sent = headers.clone()
  if (tokenOf(headers) !== undefined && sent.remove('authorization')) to.search += `${to.search === '' ? '?' : '&'}${signature}`
  return { to: `${endpoint}${to.pathname}${to.search}`, headers: sent.rawHeaders() }
}
async function send(request: WebResource, emulator: Emulator, agent: Agent): Promise<HttpOperationResponse> {
  const { method, body, streamResponseStatusCodes: streams } = request
  if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array))
    throw new TypeError('Only text and bytes are sent here.')
  const { to, headers } = routed(request, emulator)
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const failed = ({ message, code }: NodeJS.ErrnoException): void => reject(new RestError(message, code === undefined ? {} : { code }))
    open(to, { agent, method, headers }, resolve).once('error', failed).end(body)
  })
  const status = response.statusCode ?? 0
  const named = Object.entries(response.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as const] : []))
  const whole = answer(request, status, named)
  if (streams?.has(status) || streams?.has(Number.POSITIVE_INFINITY)) return { ...whole, readableStreamBody: response }
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { ...whole, bodyAsText: Buffer.concat(chunks).toString('utf8') }
}

/** Whoever waits for a fault gives up when it is told to; what is sent is done all the same. */
function untilAborted({ abortSignal }: WebResource, send: () => Promise<HttpOperationResponse>): Promise<HttpOperationResponse> {
  if (abortSignal === undefined) return send()
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(Object.assign(new Error('The operation was aborted.'), { name: 'AbortError' }))
    if (abortSignal.aborted) return abort()
    abortSignal.addEventListener('abort', abort)
    send()
      .then(resolve, reject)
      .finally(() => abortSignal.removeEventListener('abort', abort))
  })
}
