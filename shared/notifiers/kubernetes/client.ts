import { readFile } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { Agent, request } from 'node:https'
import { RotationError, systemCodeOf } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import type { Code } from '../../core/ports/errors.js'
import { SecretText } from '../../core/secret-text.js'
import type { ClusterSettings } from './settings.js'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}
export type Method = 'GET' | 'POST' | 'PATCH'

const account = '/var/run/secrets/kubernetes.io/serviceaccount'
const answerBytesMax = 8 * 1024 * 1024
const tokenMsMax = 60_000

interface Access {
  readonly server: string
  readonly ca: string | undefined
  token(): Promise<SecretText>
}

/** About ten REST calls; a client of its own because the vendor's runs on no Node 20 and takes no CA of one cluster with fetch. */
export class Client {
  readonly cluster: string
  readonly #access: Access
  readonly #agent: Agent
  readonly #timeoutMs: number

  private constructor(cluster: string, access: Access, timeoutMs: number) {
    this.cluster = cluster
    this.#access = access
    this.#timeoutMs = timeoutMs
    this.#agent = new Agent({ keepAlive: true, maxSockets: 4, ...(access.ca === undefined ? {} : { ca: access.ca }) })
  }
  static async open(cluster: string, settings: ClusterSettings, env: Env, timeoutMs: number): Promise<Client> {
    return new Client(cluster, await accessOf(cluster, settings, env), timeoutMs)
  }
  close(): void {
    this.#agent.destroy()
  }

  /** undefined for what is not there. denied, delivery_failed. */
  async get(path: string): Promise<unknown> {
    const { status, body } = await this.#call('GET', path)
    return status === 404 ? undefined : body
  }
  async patch(path: string, body: object): Promise<unknown> {
    const answer = await this.#call('PATCH', path, body)
    if (answer.status === 404) throw this.#error('delivery_failed', path, 'is not there any more', 'It is looked for again.')
    return answer.body
  }
  async post(path: string, body: object): Promise<unknown> {
    return (await this.#call('POST', path, body)).body
  }

  async #call(method: Method, path: string, body?: object): Promise<Answer> {
    const answer = await this.#send(method, path, body === undefined ? undefined : JSON.stringify(body)).catch((cause: unknown) => {
      if (cause instanceof RotationError) throw cause
      const why = cause instanceof Error && cause.name === 'TimeoutError' ? 'no answer in time' : (systemCodeOf(cause) ?? 'no answer')
      throw this.#error(
        'delivery_failed',
        path,
        `could not be asked for (${why})`,
        'Check that the API server can be reached from here.',
        cause,
      )
    })
    const { status } = answer
    if (status === 404 || (status >= 200 && status < 300)) return answer
    throw this.#refused(method, path, status, answer.headers)
  }

  /** The server's own message is never passed on: of a failed patch it can hold the whole object, values included. */
  #refused(method: Method, path: string, status: number, headers: IncomingHttpHeaders): RotationError {
    if (status === 401)
      return this.#error(
        'denied',
        path,
        'was refused (401): the token is not valid',
        'Renew the token of this cluster, or correct tokenFile.',
      )
    if (status === 403)
      return this.#error(
        'denied',
        path,
        `may not be ${method === 'GET' ? 'read' : 'changed'} (403)`,
        'Grant it in the Role of this account; infra/kubernetes has one.',
      )
    const wait = headers['retry-after']
    const why = `answered ${status}${wait === undefined ? '' : `, again after ${wait} s`}`
    return this.#error('delivery_failed', path, why, 'It is tried again later.')
  }
  #error(code: Code, path: string, why: string, next: string, cause?: unknown): RotationError {
    return new RotationError(code, `${path} in cluster ${this.cluster} ${why}.`, { next, field: `clusters.${this.cluster}`, cause })
  }

  async #send(method: Method, path: string, body: string | undefined): Promise<Answer> {
    const token = await this.#access.token()
    const content = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${token.reveal()}`,
      'user-agent': 'keyturn',
      ...(body === undefined ? {} : { 'content-type': content, 'content-length': String(Buffer.byteLength(body)) }),
    }
    const options = { method, headers, agent: this.#agent, signal: AbortSignal.timeout(this.#timeoutMs) }
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, this.#access.server), options, (answer) => {
        const chunks: Buffer[] = []
        let bytes = 0
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > answerBytesMax) answer.destroy(new Error('the answer is longer than 8 MiB'))
          else chunks.push(chunk)
        })
        answer.on('error', reject)
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: jsonOf(text) })
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }
}

/** An unknown group is answered with plain text: then there is no body, only the status. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined
    throw cause
  }
}

async function accessOf(cluster: string, settings: ClusterSettings, env: Env): Promise<Access> {
  if (!settings.inCluster) {
    const { server, ca, token, tokenFile } = settings
    return {
      server: server ?? '',
      ca,
      token: tokenFile === undefined ? async () => new SecretText(token ?? '') : fileToken(cluster, tokenFile, env),
    }
  }
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
  if (host === undefined || port === undefined) {
    throw new RotationError('bad_config', `The cluster ${cluster} is set to inCluster, and this is no pod of one.`, {
      field: `clusters.${cluster}.inCluster`,
      next: 'Set server, ca and tokenFile, or run it as a CronJob in that cluster.',
    })
  }
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  return { server, ca: await readText(cluster, `${account}/ca.crt`), token: fileToken(cluster, `${account}/token`, env) }
}

function fileToken(cluster: string, file: string, env: Env): Access['token'] {
  let known: { readonly token: SecretText; readonly at: number } | undefined
  return async () => {
    if (known === undefined || env.now() - known.at > tokenMsMax)
      known = { token: new SecretText((await readText(cluster, file)).trim()), at: env.now() }
    return known.token
  }
}

async function readText(cluster: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new RotationError('bad_config', `The file ${file} of cluster ${cluster} could not be read (${systemCodeOf(cause) ?? 'error'}).`, {
      field: `clusters.${cluster}.tokenFile`,
      next: 'Correct the path, or mount the token there.',
    })
  }
}
