import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SqlUser {
  type?: string
  password: string
}
export interface SqlInstance {
  readonly project: string
  readonly name: string
  version: string
  state: string
  isStopped?: true
  replicaOf?: string
  addresses: readonly string[]
  /** By name, or by name@host where the engine is MySQL. */
  readonly users: Map<string, SqlUser>
}
interface SqlOperation {
  readonly name: string
  readonly project: string
  readonly instance: SqlInstance
  readonly user: string
  readonly password: string
  readonly sentAt: number
  isOver?: true
  readonly fails?: { readonly code: string; readonly message: string }
}
/** cut: not done, and no answer. drop: done, and no answer. Else how it answers. */
export type SqlFault = 'cut' | 'drop' | 'throttle' | 'quota' | 'error' | 'busy' | 'busy 403'
/** at once, later: by a rule. unread: what was sent is not understood. broken, unnamed, stopped: the operation fails, with words about a rule, without a code, or without words. */
export type SqlRefusal = 'at once' | 'later' | 'unread' | 'broken' | 'unnamed' | 'stopped'
export interface SqlCall {
  readonly method: string
  readonly path: string
  readonly body: string
}

/**
 * The Admin API of Cloud SQL as a server on loopback: instances.get, users.get, users.update and operations.get, in JSON, with the errors that the service
 * is known to give. A change is PENDING at first, then RUNNING, then DONE, and an instance takes one at a time. Where there is no such login, an update makes
 * one: the service may do so. Left out: every other method, etags, IAM beyond `mayNot`.
 */
export class CloudSqlDouble {
  readonly instances: SqlInstance[] = []
  readonly calls: SqlCall[] = []
  readonly operations: SqlOperation[] = []
  /** Asked before each call; `n` counts from 1. */
  fault: (call: SqlCall, n: number) => SqlFault | undefined = () => undefined
  /** Permissions that the caller lacks. */
  readonly mayNot = new Set<string>()
  /** What becomes of a password: the rule of the instance refuses it (at once, or as the end of the operation), or something else fails. */
  refuses: (password: string) => SqlRefusal | undefined = () => undefined
  now: () => number = Date.now
  pendingMs = 1500
  runningMs = 3000
  /** Makes the database take the password. */
  onEffect: (user: string, password: string) => Promise<void> = async () => {}
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }
  static async open(): Promise<CloudSqlDouble> {
    const double = new CloudSqlDouble()
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
  make(more: Partial<SqlInstance> = {}): SqlInstance {
    const made = {
      project: 'shop-prod',
      name: 'main',
      version: 'POSTGRES_16',
      state: 'RUNNABLE',
      addresses: ['10.0.0.5'],
      users: new Map(),
    }
    const instance = { ...made, ...more }
    this.instances.push(instance)
    return instance
  }
  /** How often a password was sent. */
  get sent(): number {
    return this.calls.filter(({ method }) => method === 'PUT').length
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const call = { method: request.method ?? '', path: request.url ?? '', body: Buffer.concat(chunks).toString() }
    this.calls.push(call)
    const fault = this.fault(call, this.calls.length)
    if (fault === 'cut') return void request.socket.destroy()
    const [status, body] = refusedBy(fault) ?? (await this.#answer(call))
    if (fault === 'drop') return void request.socket.destroy()
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

  async #answer({ method, path, body }: SqlCall): Promise<Reply> {
    await this.settle()
    const url = new URL(path, 'http://sqladmin')
    const [, project = '', rest = ''] = /^\/v1\/projects\/([^/]+)\/(.*)$/.exec(url.pathname) ?? []
    const [kind, id = '', users, user] = rest.split('/').map(decodeURIComponent)
    if (kind === 'operations') return this.#operation(decodeURIComponent(project), id)
    const instance = this.instances.find((one) => one.project === decodeURIComponent(project) && one.name === id)
    const permission = users === undefined ? 'cloudsql.instances.get' : `cloudsql.users.${method === 'PUT' ? 'update' : 'get'}`
    if (this.mayNot.has(permission)) return refusal(403, 'notAuthorized', 'The client is not authorized to make this request.')
    if (instance === undefined) return refusal(404, 'instanceDoesNotExist', 'The Cloud SQL instance does not exist.')
    if (users === undefined) return [200, instanceOf(instance)]
    const key = keyOf(instance, user ?? url.searchParams.get('name') ?? '', url.searchParams.get('host'))
    if (method !== 'PUT') return this.#user(instance, key)
    return this.#update(instance, key, (JSON.parse(body) as { password?: string }).password ?? '')
  }

  #user(instance: SqlInstance, key: string): Reply {
    const user = instance.users.get(key)
    if (user === undefined) return refusal(404, 'userDoesNotExist', 'The user does not exist.')
    const { type } = user
    return [200, { kind: 'sql#user', name: key, instance: instance.name, project: instance.project, ...(type ? { type } : {}) }]
  }

  #update(instance: SqlInstance, user: string, password: string): Reply {
    if (this.operations.some((one) => one.instance === instance && !one.isOver)) return busy(409)
    if (instance.state !== 'RUNNABLE') return refusal(400, 'invalidState', 'The instance is not running.')
    const how = this.refuses(password)
    if (how === 'at once') return refusal(400, 'invalid', `Invalid request: Password ${password} does not meet the policy.`)
    if (how === 'unread') return refusal(400, 'invalid', `Invalid value for the field password: ${password}.`)
    const fails = how && failureOf(how, password)
    const name = `operation-${this.operations.length + 1}`
    const { project } = instance
    this.operations.push({ name, project, instance, user, password, sentAt: this.now(), ...(fails ? { fails } : {}) })
    return this.#operation(project, name)
  }

  #operation(project: string, name: string): Reply {
    if (this.mayNot.has('cloudsql.instances.get'))
      return refusal(403, 'notAuthorized', 'The client is not authorized to make this request.')
    const found = this.operations.find((one) => one.project === project && one.name === name)
    if (found === undefined) return refusal(404, 'operationDoesNotExist', 'The operation does not exist.')
    const status = found.isOver ? 'DONE' : this.now() < found.sentAt + this.pendingMs ? 'PENDING' : 'RUNNING'
    const error = found.isOver && found.fails ? { error: { kind: 'sql#operationErrors', errors: [found.fails] } } : {}
    return [200, { kind: 'sql#operation', name, operationType: 'UPDATE_USER', status, targetId: found.instance.name, ...error }]
  }

  /** What has become due meanwhile. */
  async settle(): Promise<void> {
    for (const one of this.operations) {
      if (one.isOver || this.now() < one.sentAt + this.pendingMs + this.runningMs) continue
      one.isOver = true
      if (one.fails !== undefined) continue
      const before = one.instance.users.get(one.user)
      one.instance.users.set(one.user, { ...before, password: one.password })
      await this.onEffect(one.user, one.password)
    }
  }
}

type Reply = readonly [status: number, body: object]
const refusal = (code: number, reason: string, message: string): Reply => [
  code,
  { error: { code, message, errors: [{ message, domain: 'global', reason }] } },
]
const busy = (code: number): Reply =>
  refusal(code, 'operationInProgress', 'Operation failed because another operation was already in progress.')

/** As which an operation ends that fails. */
function failureOf(how: SqlRefusal, password: string): { readonly code: string; readonly message: string } {
  if (how === 'broken')
    return { code: 'INTERNAL_ERROR', message: `Failed to check the password policy of the user for "${password}", please retry.` }
  if (how === 'unnamed') return { code: '', message: `The length and the characters of the password "${password}" could not be checked.` }
  if (how === 'stopped') return { code: 'ABORTED', message: `Failed to update the password of the user to "${password}".` }
  return { code: 'INVALID_PASSWORD', message: `password "${password}" does not meet complexity requirements` }
}

/** Where the answer does not depend on what was asked. */
function refusedBy(fault: SqlFault | undefined): Reply | undefined {
  if (fault === 'throttle') return refusal(429, 'rateLimitExceeded', 'Too many requests.')
  if (fault === 'quota') return refusal(403, 'rateLimitExceeded', 'Quota exceeded for quota metric.')
  if (fault === 'error') return refusal(503, 'backendError', 'The service is unavailable.')
  if (fault === 'busy' || fault === 'busy 403') return busy(fault === 'busy' ? 409 : 403)
  return undefined
}

const instanceOf = ({ project, name, version, state, isStopped, replicaOf, addresses }: SqlInstance): object => ({
  kind: 'sql#instance',
  project,
  name,
  databaseVersion: version,
  state,
  settings: { activationPolicy: isStopped ? 'NEVER' : 'ALWAYS' },
  ipAddresses: addresses.map((ipAddress) => ({ type: 'PRIVATE', ipAddress })),
  ...(replicaOf ? { masterInstanceName: replicaOf } : {}),
})

const keyOf = ({ version }: SqlInstance, name: string, host: string | null): string =>
  version.startsWith('MYSQL') ? `${name}@${host ?? ''}` : name
