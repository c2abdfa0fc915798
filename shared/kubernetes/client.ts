import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { Agent, request } from 'node:https'
import { RotationError, systemCodeOf } from '../core/errors.js'
import { parsedJson } from '../core/json.js'
import { optional } from '../core/optional.js'
import type { Env } from '../core/ports/env.js'
import type { Code } from '../core/ports/errors.js'
import { SecretText } from '../core/secret-text.js'
import { accessOf } from './access.js'
import type { Access } from './files.js'
import { asIssuedToken } from './objects.js'
import type { ClusterSettings } from './settings.js'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}
export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

const answerBytesMax = 8 * 1024 * 1024
const waitMsMax = 3_600_000
/** Of tokens that are asked for: an hour, renewed when four fifths of what was given are over. The server gives none under ten minutes. */
const issuedSeconds = 3600
const clientsMax = 32
/** After that files and clocks are looked at anew, and so are certificates that were renewed meanwhile. */
const clientMsMax = 600_000
const idleMsMax = 60_000
const clients = new Map<string, Client>()

/** The server asked to be left alone for a while (Retry-After). */
export class Busy extends RotationError {
  waitMs = 0
}

const misset: readonly (readonly [codes: RegExp, field: string, next: string])[] = [
  [
    /^(UNABLE_TO_|ERR_TLS_|CERT_|SELF_SIGNED_|DEPTH_ZERO_)/,
    'ca',
    'Give the CA of this cluster as ca, and as server a name that its certificate has.',
  ],
  [/^ERR_INVALID_CHAR$/, 'token', 'Give the token as one word, without a line break.'],
]

interface Clock {
  env: Env
}

/** About ten REST calls; a client of its own because the vendor's runs on no Node 20 and takes no CA of one cluster with fetch. */
export class Client {
  readonly cluster: string
  readonly #access: Access
  readonly #agent: Agent
  readonly #settings: ClusterSettings
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #madeAt: number
  readonly #key: string
  /** By the date of its last answer, whole seconds. */
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
  /** One a cluster and process: connections and issued tokens are kept over looks. Idle connections keep no process alive. */
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

  /** undefined for what is not there. denied, delivery_failed. */
  async get(path: string, deadline: number): Promise<unknown> {
    const { status, body } = await this.#call('GET', path, deadline)
    return status === 404 ? undefined : body
  }
  /** undefined where the object changed since the resource version that the body names (409). */
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

  /** What will be the same the next time is mis-set; the rest is out of reach for now. */
  #unansweredError(path: string, cause: unknown): RotationError {
    const late = cause instanceof Error && ['TimeoutError', 'AbortError'].includes(cause.name)
    const why = late ? 'no answer in time' : (systemCodeOf(cause) ?? 'no answer')
    const [field, next] = misset.find(([codes]) => codes.test(why))?.slice(1) ?? []
    if (typeof field === 'string' && typeof next === 'string')
      return new RotationError('bad_config', `The API server of cluster ${this.cluster} could not be asked (${why}).`, {
        field: `clusters.${this.cluster}.${field}`,
        next,
        cause,
      })
    return this.#error(
      'delivery_failed',
      path,
      `could not be asked for (${why})`,
      'Check that the API server can be reached from here.',
      cause,
    )
  }

  /** The server's own message is never passed on: of a failed patch it can hold the whole object, values included. */
  #refusedError(method: Method, path: string, status: number, headers: IncomingHttpHeaders): RotationError {
    if (status === 401) {
      // A renewed token or certificate is not the one that was kept.
      this.#issued = undefined
      clients.delete(this.#key)
      return this.#error(
        'denied',
        path,
        'was refused (401): the token is not valid',
        'Renew the token of this cluster, or correct tokenFile.',
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
  /** RFC 9110 10.2.3: seconds or a date; at most an hour is believed. */
  #waitOf(given: string | undefined): number | undefined {
    if (given === undefined) return undefined
    const ms = /^\d{1,6}$/.test(given) ? Number(given) * 1000 : Date.parse(given) - this.#clock.env.now()
    return Number.isNaN(ms) ? undefined : Math.min(waitMsMax, Math.max(1000, ms))
  }
  #error(code: Code, path: string, why: string, next: string, cause?: unknown): RotationError {
    return new RotationError(code, `${path} in cluster ${this.cluster} ${why}.`, { next, field: `clusters.${this.cluster}`, cause })
  }

  /** Who we are in the calls: the account that is named, by a token that is asked for with what we have, else what we have. */
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
  /** A server behind a path (a proxy for several clusters) keeps it: without it another one would answer. */
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
    // After the deadline nothing is sent at all: a server that is near would answer before any timer runs.
    const over = this.#clock.env.now() >= deadline
    const signal = over ? AbortSignal.abort(new DOMException('over', 'TimeoutError')) : AbortSignal.timeout(this.#msUntil(deadline))
    const options = { method, headers, agent: this.#agent, signal }
    return new Promise((resolve, reject) => {
      const sent = request(this.#urlOf(path), options, (answer) => {
        const chunks: Buffer[] = []
        let bytes = 0
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > answerBytesMax) answer.destroy(Object.assign(new Error('longer than 8 MiB'), { code: 'more than 8 MiB' }))
          else chunks.push(chunk)
        })
        answer.on('error', reject)
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          this.serverNow = Date.parse(answer.headers.date ?? '') || undefined
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: parsedJson(text) }) // an unknown group is answered with plain text
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }
}
