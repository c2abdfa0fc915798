import { PlaneDouble, type PlaneOperation, type Reply } from './plane-double.js'
import { type RestCall, RestDouble } from './rest-double.js'

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
interface SqlOperation extends PlaneOperation {
  readonly instance: SqlInstance
}
/** Beside cut and drop: how it answers. */
type Answered = 'throttle' | 'quota' | 'error' | 'busy' | 'busy 403'
export type SqlFault = Answered | 'cut' | 'drop'

/**
 * The Admin API of Cloud SQL as a server on loopback: instances.get, users.get, users.update and operations.get, in JSON, with the errors that the service
 * is known to give. A change is PENDING at first, then RUNNING, then DONE, and an instance takes one at a time. Where there is no such login, an update makes
 * one: the service may do so. Left out: every other method, etags, IAM beyond `mayNot`.
 */
export class CloudSqlDouble extends PlaneDouble<SqlOperation, Answered> {
  readonly instances: SqlInstance[] = []

  static async open(): Promise<CloudSqlDouble> {
    return new CloudSqlDouble(await RestDouble.open(), 'PUT')
  }
  override reset(): void {
    super.reset()
    this.instances.splice(0)
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

  protected answer({ method, path, body }: RestCall): Reply {
    const url = new URL(path, 'http://sqladmin')
    const [, project = '', rest = ''] = /^\/v1\/projects\/([^/]+)\/(.*)$/.exec(url.pathname) ?? []
    const [kind, id = '', users, user] = rest.split('/').map(decodeURIComponent)
    if (kind === 'operations') return this.#operation(decodeURIComponent(project), id)
    const instance = this.instances.find((one) => one.project === decodeURIComponent(project) && one.name === id)
    const permission = users === undefined ? 'cloudsql.instances.get' : `cloudsql.users.${method === 'PUT' ? 'update' : 'get'}`
    if (this.mayNot.has(permission)) return refusal(403, 'notAuthorized', 'The client is not authorized to make this request.')
    if (instance === undefined) return refusal(404, 'instanceDoesNotExist', 'The Cloud SQL instance does not exist.')
    if (users === undefined) return { status: 200, body: instanceOf(instance) }
    const key = keyOf(instance, user ?? url.searchParams.get('name') ?? '', url.searchParams.get('host'))
    if (method !== 'PUT') return this.#user(instance, key)
    return this.#update(instance, key, (JSON.parse(body) as { password?: string }).password ?? '')
  }

  #user(instance: SqlInstance, key: string): Reply {
    const user = instance.users.get(key)
    if (user === undefined) return refusal(404, 'userDoesNotExist', 'The user does not exist.')
    const { type } = user
    const body = { kind: 'sql#user', name: key, instance: instance.name, project: instance.project, ...(type ? { type } : {}) }
    return { status: 200, body }
  }

  #update(instance: SqlInstance, user: string, password: string): Reply {
    if (this.operations.some((one) => one.instance === instance && !one.isOver)) return busy(409)
    if (instance.state !== 'RUNNABLE') return refusal(400, 'invalidState', 'The instance is not running.')
    const how = this.refuses(password)
    if (how === 'at once') return refusal(400, 'invalid', `Invalid request: Password ${password} does not meet the policy.`)
    if (how === 'unread') return refusal(400, 'invalid', `Invalid value for the field password: ${password}.`)
    const operation = { ...this.begun(user, password, how), instance }
    this.operations.push(operation)
    return this.#operation(instance.project, operation.name)
  }

  #operation(project: string, name: string): Reply {
    if (this.mayNot.has('cloudsql.instances.get'))
      return refusal(403, 'notAuthorized', 'The client is not authorized to make this request.')
    const found = this.operations.find((one) => one.instance.project === project && one.name === name)
    if (found === undefined) return refusal(404, 'operationDoesNotExist', 'The operation does not exist.')
    const status = found.isOver ? 'DONE' : this.now() < found.sentAt + this.pendingMs ? 'PENDING' : 'RUNNING'
    const error = found.isOver && found.fails ? { error: { kind: 'sql#operationErrors', errors: [found.fails] } } : {}
    const body = { kind: 'sql#operation', name, operationType: 'UPDATE_USER', status, targetId: found.instance.name, ...error }
    return { status: 200, body }
  }

  protected take({ instance, user, password }: SqlOperation): void {
    instance.users.set(user, { ...instance.users.get(user), password })
  }
  protected refusedBy(fault: SqlFault | undefined): Reply | undefined {
    if (fault === 'throttle') return refusal(429, 'rateLimitExceeded', 'Too many requests.')
    if (fault === 'quota') return refusal(403, 'rateLimitExceeded', 'Quota exceeded for quota metric.')
    if (fault === 'error') return refusal(503, 'backendError', 'The service is unavailable.')
    if (fault === 'busy' || fault === 'busy 403') return busy(fault === 'busy' ? 409 : 403)
    return undefined
  }
}

const refusal = (status: number, reason: string, message: string): Reply => ({
  status,
  body: { error: { code: status, message, errors: [{ message, domain: 'global', reason }] } },
})
const busy = (status: number): Reply =>
  refusal(status, 'operationInProgress', 'Operation failed because another operation was already in progress.')

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
