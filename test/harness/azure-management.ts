import { PlaneDouble, type PlaneOperation, type Reply } from './plane-double.js'
import { type RestCall, RestDouble } from './rest-double.js'

export const subscription = '11111111-2222-3333-4444-555555555555'

export interface FlexibleServer {
  readonly group: string
  readonly name: string
  readonly provider: 'Microsoft.DBforPostgreSQL' | 'Microsoft.DBforMySQL'
  administrator: string
  password: string
  state: string
  role: string
  passwordAuth?: 'Enabled' | 'Disabled'
  host?: string
}
interface ServerOperation extends PlaneOperation {
  readonly server: FlexibleServer
}
/** Beside cut and drop: how it answers. */
type Answered = 'throttle' | 'error' | 'busy' | 'busy older' | 'locked'
export type ManagementFault = Answered | 'cut' | 'drop'

/** The version of each interface that the tests know. */
const versions = { 'Microsoft.DBforPostgreSQL': '2025-08-01', 'Microsoft.DBforMySQL': '2023-12-30' } as const
export const idOf = ({ group, provider, name }: Pick<FlexibleServer, 'group' | 'provider' | 'name'>): string =>
  `/subscriptions/${subscription}/resourceGroups/${group}/providers/${provider}/flexibleServers/${name}`

/**
 * Azure Resource Manager as a server on loopback: flexible servers of both engines are shown (GET) and take a password of their administrator (PATCH), in
 * JSON, with the errors that the service is known to give. A change is answered with 202 and two addresses below the subscription: one that says its status
 * (InProgress, Succeeded, Failed), and one that answers 202 until it is over. Each has a signature in its query, as the service's own have, and is no longer
 * known without it. A server takes one change at a time. Left out: every other property and method, roles beyond `mayNot`.
 */
export class AzureManagementDouble extends PlaneDouble<ServerOperation, Answered> {
  readonly servers: FlexibleServer[] = []
  /** What is made of a token: true where it is one for this service. */
  wantsToken: (token: string) => boolean | 'expired' | { readonly issuedIn: string } = () => true
  /** In seconds; undefined: the service does not say it. */
  retryAfter: number | undefined = 2
  /** Which addresses the answer to a change has; `none`: it says 200 and is over. */
  addresses: 'both' | 'location' | 'none' = 'both'
  /** Where these addresses are. */
  origin = 'https://management.azure.com'

  static async open(): Promise<AzureManagementDouble> {
    return new AzureManagementDouble(await RestDouble.open(), 'PATCH')
  }
  override reset(): void {
    super.reset()
    this.servers.splice(0)
    Object.assign(this, { retryAfter: 2, addresses: 'both', origin: 'https://management.azure.com' })
  }
  make(more: Partial<FlexibleServer> = {}): FlexibleServer {
    const made = {
      group: 'shop',
      name: 'main',
      provider: 'Microsoft.DBforPostgreSQL',
      administrator: 'app',
      password: '',
      state: 'Ready',
      role: 'None',
    } as const
    const server = { ...made, ...more }
    this.servers.push(server)
    return server
  }

  protected answer({ method, path, body, authorization }: RestCall): Reply {
    const url = new URL(path, this.origin)
    const [, provider = '', what = ''] = /\/providers\/(Microsoft\.DBfor\w+)\/(.+)$/.exec(url.pathname) ?? []
    if (this.wantsToken(/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '') !== true)
      return refusal(401, 'InvalidAuthenticationToken', 'The access token is invalid.')
    const action = `${provider}/${what.startsWith('locations/') ? `locations/${what.split('/')[2]}` : 'flexibleServers'}`
    const permission = `${action}/${method === 'GET' ? 'read' : 'write'}`
    if (this.mayNot.has(permission))
      return refusal(
        403,
        'AuthorizationFailed',
        `The client does not have authorization to perform action '${permission}' over scope '${url.pathname}'.`,
      )
    if (url.searchParams.get('api-version') !== versions[provider as keyof typeof versions])
      return refusal(400, 'InvalidApiVersionParameter', 'The api-version is invalid.')
    if (what.startsWith('locations/')) return this.#operation(what, url.searchParams.get('s') ?? '')
    const server = this.servers.find((one) => idOf(one).toLowerCase() === decodeURIComponent(url.pathname).toLowerCase())
    if (server === undefined) return refusal(404, 'ResourceNotFound', `The Resource '${url.pathname}' was not found.`)
    return method === 'GET' ? { status: 200, body: shown(server) } : this.#update(server, passwordIn(body))
  }

  #update(server: FlexibleServer, password: string): Reply {
    if (this.operations.some((one) => one.server === server && !one.isOver)) return busy('ServerIsBusy')
    if (server.state !== 'Ready') return busy('ServerIsNotReady')
    const how = this.refuses(password)
    if (how === 'at once')
      return refusal(
        400,
        'InvalidParameterValue',
        `Invalid value given for parameter administratorLoginPassword: ${password}. Specify a valid parameter value.`,
      )
    if (how === 'unread')
      return refusal(400, 'InvalidRequestContent', `The request content with the password ${password} could not be read.`)
    const operation = { ...this.begun(server.administrator, password, how), server }
    this.operations.push(operation)
    if (this.addresses === 'none') {
      operation.isOver = true
      this.take(operation)
      return { status: 200, body: shown(server) }
    }
    const { provider } = server
    const at = (kind: string) =>
      `${this.origin}/subscriptions/${subscription}/providers/${provider}/locations/westeurope/${kind}/${operation.name}?api-version=${versions[provider]}&s=${signatureOf(operation)}`
    const status = this.addresses === 'both' ? { 'Azure-AsyncOperation': at('azureAsyncOperation') } : {}
    return { status: 202, body: {}, headers: { ...status, Location: at('operationResults'), ...this.#wait() } }
  }

  #operation(what: string, signature: string): Reply {
    const [, , kind, name] = what.split('/')
    const found = this.operations.find((one) => one.name === name)
    if (found === undefined || signature !== signatureOf(found)) return refusal(404, 'OperationNotFound', 'The operation was not found.')
    const { isOver, fails } = found
    if (kind === 'operationResults') return isOver ? { status: 200, body: {} } : { status: 202, body: {}, headers: this.#wait() }
    const status = !isOver ? 'InProgress' : fails === undefined ? 'Succeeded' : 'Failed'
    const body = { name, status, ...(isOver && fails ? { error: fails } : {}) }
    return { status: 200, body, headers: isOver ? {} : this.#wait() }
  }
  #wait(): Readonly<Record<string, string>> {
    return this.retryAfter === undefined ? {} : { 'Retry-After': String(this.retryAfter) }
  }

  protected take({ server, password }: ServerOperation): void {
    server.password = password
  }
  protected refusedBy(fault: ManagementFault | undefined): Reply | undefined {
    if (fault === 'throttle') return { ...refusal(429, 'TooManyRequests', 'Too many requests.'), headers: { 'Retry-After': '7' } }
    if (fault === 'error') return refusal(503, 'ServiceUnavailable', 'The service is unavailable.')
    if (fault === 'busy' || fault === 'busy older') return busy(fault === 'busy' ? 'ServerIsBusy' : 'ServerBusy')
    if (fault === 'locked') return refusal(409, 'ScopeLocked', 'The scope cannot perform write operation because a lock is on it.')
    return undefined
  }
}

const signatureOf = ({ name }: PlaneOperation): string => Buffer.from(`signed ${name}`).toString('base64url')

const passwordIn = (body: string): string =>
  (JSON.parse(body) as { properties?: { administratorLoginPassword?: string } }).properties?.administratorLoginPassword ?? ''

const refusal = (status: number, code: string, message: string): Reply => ({ status, body: { error: { code, message } } })
const busy = (code: string): Reply =>
  refusal(409, code, "Cannot complete operation while server 'main' is busy processing another operation. Try again later.")

function shown(server: FlexibleServer): object {
  const { provider, name, administrator, state, role, passwordAuth } = server
  const isPostgres = provider === 'Microsoft.DBforPostgreSQL'
  const host = server.host ?? `${name}.${isPostgres ? 'postgres' : 'mysql'}.database.azure.com`
  const auth = isPostgres ? { authConfig: { activeDirectoryAuth: 'Enabled', passwordAuth: passwordAuth ?? 'Enabled' } } : {}
  const version = isPostgres ? '18' : '8.0.21'
  const properties = { administratorLogin: administrator, state, version, fullyQualifiedDomainName: host, replicationRole: role, ...auth }
  return { id: idOf(server), name, type: `${provider}/flexibleServers`, location: 'West Europe', properties }
}
