import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { optional } from '../../shared/core/optional.js'

/** One request for a token, as it arrived. */
export interface IdentityCall {
  /** What the token is for: `https://vault.azure.net`. */
  readonly resource: string
  readonly apiVersion: string
  /** Of an identity that was named; undefined for that of the application itself. */
  readonly clientId: string | undefined
  readonly header: string | undefined
}
interface Issued {
  readonly resource: string
  readonly tenant: string
  readonly expiresAt: number
}
const givenHeader = 'B2E5F7A1C3D94A60'

/**
 * The endpoint of managed identities in App Service and Functions on loopback, for the credentials of the official client: the variables of `env`
 * lead `ManagedIdentityCredential` and `DefaultAzureCredential` (4.13.1) here, and nothing else is asked then, above all not the machine's metadata
 * address. It answers only who sends the header that the platform gave to the application. Its error texts are its own.
 *
 * What the unmodified credentials take to come here: those two variables, which the first of them to ask reads for all of the process; a later
 * endpoint needs a process of its own. A token is kept for all of the process by client id, whatever credential asks next. An answer of 500 is asked
 * for four times in six seconds, also with `maxRetries: 0`; one of 400 once. `DefaultAzureCredential` asks the variables of a service principal and
 * of a workload identity first, and the developer's tools last: AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential keeps to this endpoint alone, and
 * then only AZURE_CLIENT_ID names an identity: the option `managedIdentityClientId` is forgotten.
 */
export class AzureIdentity {
  readonly calls: IdentityCall[] = []
  /** What the platform gave to the application: IDENTITY_HEADER. */
  header = givenHeader
  tenant: string
  expiresInSeconds = 86_400
  /** The identities that are assigned by a name, by their client id. */
  readonly assigned = new Set<string>()
  /** Whether the application has an identity of its own. */
  hasOwn = true
  /** Asked before each answer: the status that it gets instead. held: none, until `reset` or `close`. */
  fault: (call: IdentityCall, n: number) => number | 'held' | undefined = () => undefined
  /** What it issues instead of a token of its own, for who knows that one. */
  token: ((call: IdentityCall) => string | undefined) | undefined
  readonly #issued = new Map<string, Issued>()
  readonly #held: (() => void)[] = []
  readonly #now: () => number
  readonly #home: string
  readonly #server: Server

  private constructor(now: () => number, tenant: string) {
    this.#now = now
    this.#home = tenant
    this.tenant = tenant
    this.#server = createServer((request, response) => {
      const answer = ([status, body]: Answer) => {
        response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
        response.end(JSON.stringify(body))
      }
      const made = this.#answer(request)
      if (made === 'held')
        this.#held.push(() => answer(refusal(400, 'Held no longer.'))) // which the library does not repeat
      else answer(made)
    })
  }
  /** The clock by which tokens end: the client's own is the machine's. */
  static async open({
    now = Date.now,
    tenant = '72f9',
  }: {
    readonly now?: () => number
    readonly tenant?: string
  } = {}): Promise<AzureIdentity> {
    const identity = new AzureIdentity(now, tenant)
    await new Promise<void>((resolve) => identity.#server.listen(0, '127.0.0.1', resolve))
    return identity
  }
  /** What leads a process here. */
  get env(): Readonly<Record<'IDENTITY_ENDPOINT' | 'IDENTITY_HEADER', string>> {
    const { port } = this.#server.address() as AddressInfo
    return { IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/msi/token`, IDENTITY_HEADER: this.header }
  }
  async close(): Promise<void> {
    for (const end of this.#held.splice(0)) end()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** It keeps no process from ending. */
  unref(): void {
    this.#server.unref()
  }

  /** As it was when it was opened, on the same port. What it issued stays issued: the process has it still. */
  reset(): void {
    this.calls.length = 0
    this.assigned.clear()
    for (const end of this.#held.splice(0)) end()
    this.fault = () => undefined
    this.token = undefined
    Object.assign(this, { header: givenHeader, tenant: this.#home, expiresInSeconds: 86_400, hasOwn: true })
  }

  /** What a vault of a tenant makes of a token: for `wantsToken` of its double. Only what was issued here for the vault counts. */
  judge(token: string, tenant = this.tenant, resource = 'https://vault.azure.net'): boolean | 'expired' | { readonly issuedIn: string } {
    const issued = this.#issued.get(token)
    if (issued === undefined || issued.resource !== resource) return false
    if (issued.tenant !== tenant) return { issuedIn: issued.tenant }
    return issued.expiresAt > this.#now() / 1000 || 'expired'
  }

  #answer(request: IncomingMessage): Answer | 'held' {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://identity')
    const call: IdentityCall = {
      resource: query.get('resource') ?? '',
      apiVersion: query.get('api-version') ?? '',
      clientId: query.get('client_id') ?? undefined,
      header: request.headers['x-identity-header']?.toString(),
    }
    this.calls.push(call)
    const fault = this.fault(call, this.calls.length)
    if (fault === 'held') return fault
    if (fault !== undefined) return refusal(fault, 'As the test says.')
    if (request.method !== 'GET' || pathname !== '/msi/token') return refusal(404, 'There is no such endpoint.')
    if (call.header !== this.header) return refusal(401, 'The header does not match.')
    if (call.apiVersion !== '2019-08-01' || call.resource === '') return refusal(400, 'The api-version or the resource is missing.')
    if (call.clientId === undefined ? !this.hasOwn : !this.assigned.has(call.clientId)) return refusal(400, 'No such identity is assigned.')
    return [200, this.#issue(call)]
  }
  #issue(call: IdentityCall): object {
    const { resource, clientId } = call
    const token = this.token?.(call) ?? `msi.${this.#issued.size + 1}.${Buffer.from(resource).toString('base64url')}`
    const expiresAt = Math.floor(this.#now() / 1000) + this.expiresInSeconds
    this.#issued.set(token, { resource, tenant: this.tenant, expiresAt })
    const whose = optional('client_id', clientId)
    return { access_token: token, expires_on: String(expiresAt), resource, token_type: 'Bearer', ...whose }
  }
}
type Answer = readonly [status: number, body: object]
const refusal = (status: number, message: string): Answer => [status, { statusCode: status, message }]
