import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { Agent, request } from 'node:https'
import { RotationError } from '../core/errors.js'
import { parsedJson } from '../core/json.js'
import { optional } from '../core/optional.js'
import type { Env } from '../core/ports/env.js'
import type { Code } from '../core/ports/errors.js'
import { retryAfterMs } from '../core/retry-after.js'
import { SecretText } from '../core/secret-text.js'
import { accessOf } from './access.js'
import { causeOf, Late } from './causes.js'
import type { Access } from './files.js'
import { asIssuedToken } from './objects.js'
import type { ClusterSettings } from './settings.js'

/** What the API server answered. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}
/** The methods that are used here. */
export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

const answerBytesMax = 8 * 1024 * 1024
const waitMsMax = 3_600_000
/** How long requested tokens last: an hour. They are renewed after four fifths of their time. The server gives none under ten minutes. */
const issuedSeconds = 3600
const clientsMax = 32
/** After this time files and clocks are read again, and with them certificates that were renewed meanwhile. */
const clientMsMax = 600_000
const idleMsMax = 60_000
const clients = new Map<string, Client>()

/** The server asked us to wait for a while (Retry-After). */
export class Busy extends RotationError {
  waitMs = 0
}

interface Clock {
  env: Env
}

/** About ten REST calls. It is a client of our own: the vendor's does not run on Node 20, and with fetch it cannot take the CA of one cluster. */
export class Client {
  readonly cluster: string
  readonly #access: Access
  readonly #agent: Agent
  readonly #settings: ClusterSettings
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #madeAt: number
  readonly #key: string
  /** The server's time, from the date of its last answer, in whole seconds. */
  serverNow: number | undefined
  #issued: { readonly token: SecretText; readonly renewAt: number } | undefined

  private constructor(cluster: string, access: Access, settings: ClusterSettings, clock: Clock, timeoutMs: number, key: string) {
    this.#key = key
    this.cluster = cluster
    this.#access = access
    this.#settings = settings
    this.#clock = clock
    this.#madeAt = clock.env.now()
    this.#timeoutMs = timeoutMs
    const { ca, cert, key: clientKey, servername } = access
    this.#agent = new Agent({
      keepAlive: true,
      timeout: idleMsMax,
      maxSockets: 4,
      ...optional('ca', ca),
      ...optional('servername', servername),
      ...(cert === undefined || clientKey === undefined ? {} : { cert, key: clientKey.reveal() }),
    })
  }
  /** Opens one client for each cluster in a process: it keeps connections and issued tokens between looks. Idle connections keep no process alive. */
  static async open(cluster: string, settings: ClusterSettings, env: Env, timeoutMs: number): Promise<Client> {
    const key = createHash('sha256')
      .update(JSON.stringify([cluster, settings, timeoutMs]))
      .digest('base64')
    const there = clients.get(key)
    if (there !== undefined && Math.abs(env.now() - there.#madeAt) < clientMsMax) {
      there.#clock.env = env
      return there
    }
    const clock: Clock = { env }
    const client = new Client(cluster, await accessOf(cluster, settings, () => clock.env.now()), settings, clock, timeoutMs, key)
    clients.delete(key)
    clients.set(key, client)
    const [oldest] = clients.keys()
    if (clients.size > clientsMax && oldest !== undefined) clients.delete(oldest)
    return client
  }

  /** Reads an object; undefined where it does not exist. denied, delivery_failed. */
  async get(path: string, deadline: number): Promise<unknown> {
    const { status, body } = await this.#call('GET', path, deadline)
    return status === 404 ? undefined : body
  }
  /** Changes an object; undefined where it changed since the resource version that the body names (409). */
  async patch(path: string, body: object, deadline: number): Promise<unknown> {
    const answer = await this.#call('PATCH', path, deadline, body)
    if (answer.status === 409) return undefined
    if (answer.status === 404) throw this.#error('delivery_failed', path, 'is not there any more', 'It is looked for again.')
    return answer.body
  }
  async post(path: string, body: object, deadline: number): Promise<unknown> {
    const answer = await this.#call('POST', path, deadline, body)
    if (answer.status === 404) throw this.#error('denied', path, 'is not there (404)', 'Correct the name.')
    return answer.body
  }
  async delete(path: string, deadline: number): Promise<void> {
    await this.#call('DELETE', path, deadline)
  }

  async #call(method: Method, path: string, deadline: number, body?: object, own = false): Promise<Answer> {
    const answer = await this.#send(method, path, deadline, body === undefined ? undefined : JSON.stringify(body), own).catch(
      (cause: unknown) => {
        throw cause instanceof RotationError ? cause : this.#unansweredError(path, cause)
      },
    )
    const { status } = answer
    if (status === 404 || (status === 409 && method === 'PATCH') || (status >= 200 && status < 300)) return answer
    throw this.#refusedError(method, path, status, answer.headers)
  }

  #unansweredError(path: string, cause: unknown): RotationError {
    const { why, fix } = causeOf(cause)
    if (fix !== undefined)
      return new RotationError('bad_config', `The API server of cluster ${this.cluster} could not be asked (${why}).`, {
        field: `clusters.${this.cluster}.${fix.field}`,
        next: fix.next,
        cause,
      })
    return this.#error(
      'delivery_failed',
      path,
      `could not be asked for (${why})`,
      cause instanceof Late ? cause.next : 'Check that the API server can be reached from here.',
      cause,
    )
  }

  /** The server's own message is never passed on: after a failed patch it can hold the whole object, with its values. */
  #refusedError(method: Method, path: string, status: number, headers: IncomingHttpHeaders): RotationError {
    if (status === 401) {
      // The token or certificate may have been renewed, so the one that was kept is dropped.
      this.#issued = undefined
      clients.delete(this.#key)
      return this.#error(
        'denied',
        path,
        'was refused (401): the token is not valid',
        this.#settings.auth === undefined
          ? 'Renew the token of this cluster, or correct tokenFile.'
          : 'Check that the server is one that takes the tokens of this platform.',
      )
    }
    if (status === 403)
      return this.#error(
        'denied',
        path,
        `may not be ${method === 'GET' ? 'read' : 'changed'} (403)`,
        'Grant it in the Role of this account, or for cluster-wide kinds in a ClusterRole; infra/kubernetes has both.',
      )
    const waitMs = this.#waitOf(headers['retry-after'])
    if (waitMs === undefined) return this.#error('delivery_failed', path, `answered ${status}`, 'It is tried again later.')
    const what = `${path} in cluster ${this.cluster} answered ${status}, again after ${Math.ceil(waitMs / 1000)} s.`
    return Object.assign(new Busy('delivery_failed', what, { next: 'It is tried again then.', field: `clusters.${this.cluster}` }), {
      waitMs,
    })
  }
  /** Limited to an hour. */
  #waitOf(given: string | undefined): number | undefined {
    const ms = retryAfterMs(given, this.#clock.env.now())
    return ms === undefined ? undefined : Math.min(waitMsMax, Math.max(1000, ms))
  }
  #error(code: Code, path: string, why: string, next: string, cause?: unknown): RotationError {
    return new RotationError(code, `${path} in cluster ${this.cluster} ${why}.`, { next, field: `clusters.${this.cluster}`, cause })
  }

  /** The token of a call. Where an account is named, it is one for that account, requested with our own access; else it is our own. */
  async #token(deadline: number): Promise<SecretText | undefined> {
    const { serviceAccount } = this.#settings
    if (serviceAccount === undefined) return this.#access.token?.()
    const now = this.#clock.env.now()
    if (this.#issued !== undefined && now < this.#issued.renewAt) return this.#issued.token
    const [namespace, name] = serviceAccount.split('/')
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: issuedSeconds } }
    const answer = await this.#call('POST', path, deadline, body, true)
    if (answer.status === 404)
      throw new RotationError('bad_config', `There is no ServiceAccount ${serviceAccount} in cluster ${this.cluster}.`, {
        field: `clusters.${this.cluster}.serviceAccount`,
        next: 'Correct its namespace or name, or create it.',
      })
    const { status } = asIssuedToken(answer.body)
    const lastsMs = Math.max(0, Date.parse(status.expirationTimestamp) - now)
    this.#issued = { token: new SecretText(status.token), renewAt: now + lastsMs * 0.8 }
    return this.#issued.token
  }

  #msUntil = (deadline: number): number => Math.max(1, Math.min(this.#timeoutMs, deadline - this.#clock.env.now()))
  /** Keeps the path of the server's URL: behind a proxy for several clusters another cluster would answer without it. */
  #urlOf(path: string): URL {
    return new URL(`${this.#access.server.replace(/\/+$/, '')}${path}`)
  }

  async #send(method: Method, path: string, deadline: number, body: string | undefined, own: boolean): Promise<Answer> {
    const token = await (own ? this.#access.token?.() : this.#token(deadline))
    const content = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const headers = {
      accept: 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
      'user-agent': 'keyturn',
      ...(body === undefined ? {} : { 'content-type': content, 'content-length': String(Buffer.byteLength(body)) }),
    }
    // Nothing is sent after the deadline: a server that is near would answer before any timer runs.
    if (this.#clock.env.now() >= deadline) throw new Late(0)
    const waitMs = this.#msUntil(deadline)
    const signal = AbortSignal.timeout(waitMs)
    const options = { method, headers, agent: this.#agent, signal }
    return new Promise((resolve, reject) => {
      // The signal itself says so: the error of a request that is given up depends on how far it was.
      const fail = (cause: unknown): void => reject(signal.aborted ? new Late(waitMs, cause) : cause)
      const sent = request(this.#urlOf(path), options, (answer) => {
        const chunks: Buffer[] = []
        let bytes = 0
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > answerBytesMax) answer.destroy(Object.assign(new Error('longer than 8 MiB'), { code: 'more than 8 MiB' }))
          else chunks.push(chunk)
        })
        answer.on('error', fail)
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          this.serverNow = Date.parse(answer.headers.date ?? '') || undefined
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: parsedJson(text) }) // an unknown group is answered with plain text
        })
      })
      sent.on('error', fail)
      sent.end(body)
    })
  }
}
