import { credentials, status } from '@grpc/grpc-js'
import { History } from './gcp-secret-manager/history.js'
import { messagesOf, type PubSubMessage } from './gcp-secret-manager/messages.js'
import {
  apiDisabled,
  permissionDenied,
  quotaExceeded,
  StatusError,
  type StoredSecret,
  unauthenticated,
} from './gcp-secret-manager/model.js'
import { Names } from './gcp-secret-manager/names.js'
import { Pace } from './gcp-secret-manager/pace.js'
import { policyOperations } from './gcp-secret-manager/policies.js'
import { isWrite, type RequestOf, type ResponseOf, type RpcName, rpcs } from './gcp-secret-manager/rpcs.js'
import { type EventType, type Operations, type Secrets, type Service, secretOperations } from './gcp-secret-manager/secrets.js'
import { destroy, versionOperations } from './gcp-secret-manager/versions.js'
import { type Answer, type ServerCertificate, Wire } from './gcp-secret-manager/wire.js'

/**
 * lost: done, but the connection ends before the answer · cut: the connection ends before it is done · unavailable, throttle, internal: refused by that
 * status, not done · late: done, and DEADLINE_EXCEEDED is answered · stale: a read sees what was before the last write of each secret.
 */
export type Fault =
  | 'lost'
  | 'cut'
  | 'unavailable'
  | 'throttle'
  | 'internal'
  | 'late'
  | 'stale'
  /** A read sees what was before so many writes. */
  | { readonly staleWrites: number }
  /** Done after so long. */
  | { readonly slowMs: number }
  /** Done when the test lets it. */
  | { readonly delayed: Promise<unknown> }
  /** Done, and answered when the test lets it. */
  | { readonly held: Promise<unknown> }
  | { readonly code: number; readonly message?: string }

export interface Call {
  readonly name: RpcName
  /** As the request names it: the secret, the version or the parent. */
  readonly resource: string
  /** The secret's name with the project's number; undefined for a list or where it does not name one. */
  readonly secret: string | undefined
  readonly request: unknown
  readonly at: number
  readonly writes: boolean
  /** Whether it was about a staging secret. */
  readonly staging: boolean
}

const operations: Operations<RpcName> = { ...secretOperations, ...versionOperations, ...policyOperations }
const defaultProjects = new Map([
  ['p', '123456789012'],
  ['q', '210987654321'],
])

/**
 * Google Secret Manager as a gRPC server on loopback, to the unmodified client. Versions, states, etags, aliases, masks, checksums, delayed destruction
 * and messages are as the service documents them; error texts that were seen in the field say so in `model.ts`, and the others are the double's own.
 * No server of others can judge it: the emulators that can be had answer the newest *enabled* version for `latest`, and the service does not.
 *
 * Left out: managed rotation, customer-managed keys, tags, IAM (but for what `deny` and `mayNot` say), REST, and the service's replication delay (a read
 * is behind where a fault says so). Its clock is the one that it is given: `tick()` sends what a rotation schedule has due.
 *
 * What the unmodified client takes to come here (6.3.0): no variable names an endpoint. `apiEndpoint` and `port` are options of its constructor, and so is
 * `sslCreds`: with `credentials.createInsecure()` it speaks without TLS and asks for no credentials at all (`clientOptions`). To send a bearer token it needs
 * TLS: open the double with a certificate for `localhost`, name the authority's file in GRPC_DEFAULT_SSL_ROOTS_FILE_PATH before `@grpc/grpc-js` is loaded, and
 * pass `apiEndpoint: 'localhost'` and `port` alone. Its own credentials then come from `MetadataServer` by GCE_METADATA_HOST. METADATA_SERVER_DETECTION=none
 * keeps a client without TLS from looking for a metadata server; the double sets it.
 */
export class GcpSecretManagerDouble implements Service {
  readonly secrets = new Map<string, StoredSecret>()
  readonly calls: Call[] = []
  readonly messages: PubSubMessage[] = []
  /** Asked before each call; `n` counts from 1 over all calls. */
  fault: (call: Call, n: number) => Fault | undefined = () => undefined
  /** Permissions that the caller does not have on anything: `secretmanager.versions.access`. */
  readonly deny = new Set<string>()
  /** Permissions that the caller does not have on this resource, as the request names it. */
  mayNot: (permission: string, resource: string) => boolean = () => false
  /** Which of the two texts the service gives for a denied permission. */
  deniedText: 'resource' | 'link' = 'resource'
  /** Projects, by id, in which the API is not enabled. */
  readonly disabledIn = new Set<string>()
  /** The bearer token that a call must carry, or what is asked of it; undefined takes every call. */
  wantsToken: string | ((token: string) => boolean) | undefined
  /** Keeps to the service's writes a second (`writeRates`), by the double's clock. */
  throttles = false
  /** Whether SECRET_ROTATE shows the time that has passed or the next one: the documentation does not say. */
  rotateShows: 'past' | 'next' = 'next'
  /** Whether an answer has the rotation_period. The documentation says no; tools that read it say yes. */
  showsPeriod = false
  /** Topics that the service cannot publish to. */
  readonly brokenTopics = new Map<string, 'missing' | 'denied'>()
  isStaging: (secret: string) => boolean = (secret) => secret.endsWith('--pending')
  onMessage: (message: PubSubMessage) => void = () => {}
  pageSize = 25_000
  readonly now: () => number
  readonly names: Names
  readonly #wire: Wire
  readonly #history = new History()
  readonly #pace = new Pace()
  #port = 0
  #made = 0
  #settledUntil = Number.NEGATIVE_INFINITY

  private constructor(now: () => number, projects: ReadonlyMap<string, string>, certificate: ServerCertificate | undefined) {
    this.now = now
    this.names = new Names(projects)
    this.#wire = new Wire((name, request, authorization) => this.#answer(name, request, authorization), certificate)
  }
  /** The clock is the test's; projects are numbers by ids; with a certificate it speaks TLS. */
  static async open(
    now: () => number,
    { projects = defaultProjects, certificate }: { projects?: ReadonlyMap<string, string>; certificate?: ServerCertificate } = {},
  ): Promise<GcpSecretManagerDouble> {
    const double = new GcpSecretManagerDouble(now, projects, certificate)
    double.#port = await double.#wire.listen()
    if (certificate === undefined) process.env.METADATA_SERVER_DETECTION ??= 'none'
    return double
  }
  close = (): Promise<void> => this.#wire.close()

  get port(): number {
    return this.#port
  }
  /** For the constructor of the client, without TLS and credentials. */
  get clientOptions() {
    const [projectId = ''] = this.names.projects.keys()
    return { apiEndpoint: '127.0.0.1', port: this.#port, sslCreds: credentials.createInsecure(), projectId }
  }

  /** As it was when it was opened, on the same port. */
  reset(): void {
    for (const kept of [this.secrets, this.deny, this.disabledIn, this.brokenTopics, this.#history, this.#pace]) kept.clear()
    this.calls.length = 0
    this.messages.length = 0
    this.fault = () => undefined
    this.mayNot = () => false
    this.onMessage = () => {}
    this.isStaging = (secret) => secret.endsWith('--pending')
    Object.assign(this, {
      deniedText: 'resource',
      wantsToken: undefined,
      throttles: false,
      rotateShows: 'next',
      showsPeriod: false,
      pageSize: 25_000,
    })
  }
  count = (name?: RpcName): number => this.calls.filter((call) => name === undefined || call.name === name).length
  /** How often a secret was written, of all writes that were done: what `staleWrites` counts back from. */
  writesOf(secret: string): number {
    return this.#history.writesOf(secret)
  }
  /** How many writes were asked for: of all secrets, of the staging ones, or of the others. */
  writes = (of: 'all' | 'staging' | 'consumer' = 'all'): number =>
    this.calls.filter(({ writes, staging }) => writes && (of === 'all' || staging === (of === 'staging'))).length

  async #answer<Name extends RpcName>(name: Name, request: RequestOf<Name>, authorization: string | undefined): Promise<Answer<Name>> {
    this.#settle()
    const call = this.#record(name, request)
    const fault = this.fault(call, this.calls.length)
    if (fault === 'cut') return 'cut'
    if (typeof fault === 'object' && 'slowMs' in fault) await new Promise((resolve) => setTimeout(resolve, fault.slowMs))
    if (typeof fault === 'object' && 'delayed' in fault) await fault.delayed
    if (!this.#takes(/^Bearer (.*)$/.exec(authorization ?? '')?.[1])) throw unauthenticated()
    refuse(fault, this.#numberOf(call.resource))
    const answer = this.do(
      name,
      request,
      fault === 'stale' ? 1 : typeof fault === 'object' && 'staleWrites' in fault ? fault.staleWrites : 0,
    )
    if (fault === 'lost') return 'cut'
    if (fault === 'late') throw new StatusError(status.DEADLINE_EXCEEDED, 'Deadline exceeded.')
    if (typeof fault === 'object' && 'held' in fault) await fault.held
    return answer
  }
  #takes(token: string | undefined): boolean {
    const wanted = this.wantsToken
    if (typeof wanted === 'function') return token !== undefined && wanted(token)
    return wanted === undefined || token === wanted
  }
  #record(name: RpcName, request: AnyRequest): Call {
    const resource = resourceOf(request)
    const secret = secretOf(request, this.names)
    const call = { name, resource, secret, request, at: this.now(), writes: isWrite(name), staging: this.isStaging(secret ?? '') }
    this.calls.push(call)
    return call
  }
  readonly #numberOf = (resource: string): string => {
    const project = resource.split('/')[1] ?? ''
    return this.names.projects.get(project) ?? project
  }

  /** One call, without the wire. A read sees what was before so many writes. */
  do<Name extends RpcName>(name: Name, request: RequestOf<Name>, staleWrites = 0): ResponseOf<Name> {
    const resource = resourceOf(request)
    const permission = rpcs[name].permission
    this.#admit(resource, permission)
    const operation: (service: Service, request: RequestOf<Name>, seen: Secrets) => ResponseOf<Name> = operations[name]
    if (isWrite(name)) this.#settledUntil = Number.NEGATIVE_INFINITY
    else return operation(this, request, staleWrites === 0 ? this.secrets : this.#history.seen(this.secrets, staleWrites))
    if (this.throttles && !this.#pace.take(name, this.#paced(resource), this.now())) throw quotaExceeded(this.#numberOf(resource))
    const secret = secretOf(request, this.names)
    const before = secret === undefined ? undefined : structuredClone(this.secrets.get(secret))
    const answer = operation(this, request, this.secrets)
    if (secret !== undefined) this.#history.keep(secret, before)
    return answer
  }
  /** In the order of the service: the project, the API, the permission. Whether the resource is there comes after them. */
  #admit(resource: string, permission: string): void {
    this.names.parent(/^projects\/[^/]+/.exec(resource)?.[0] ?? resource)
    const number = this.#numberOf(resource)
    if ([...this.disabledIn].some((id) => this.names.projects.get(id) === number)) throw apiDisabled(number)
    if (permission === '') return
    const whole = `secretmanager.${permission}`
    if (!this.may(whole, resource)) throw permissionDenied(whole, resource, this.deniedText)
  }
  readonly #paced = (resource: string): string => resource.replace(/^projects\/[^/]+/, `projects/${this.#numberOf(resource)}`)

  may = (permission: string, resource: string): boolean => !this.deny.has(permission) && !this.mayNot(permission, resource)
  newOrder = (): number => ++this.#made
  /** With its quotes, as every etag of the API. */
  newEtag = (): string => `"${(0x16_151a_2f0e_8b00 + ++this.#made).toString(16)}"`
  publish(event: EventType, secret: StoredSecret, versionId?: number): void {
    for (const message of messagesOf(event, secret, versionId, this.now(), () => String(++this.#made))) {
      this.messages.push(message)
      this.onMessage(message)
    }
  }

  /** What the double's clock has made due by itself: delayed destructions, and secrets that expire. Between two writes it looks once. */
  #settle(): void {
    const now = this.now()
    if (now < this.#settledUntil) return
    let next = Number.POSITIVE_INFINITY
    for (const secret of this.secrets.values()) {
      for (const version of secret.versions)
        if ((version.destroyAt ?? now + 1) <= now) destroy(this, secret, version, version.destroyAt ?? now)
        else next = Math.min(next, version.destroyAt ?? next)
      next = Math.min(next, secret.expireAt ?? next)
      if ((secret.expireAt ?? now + 1) > now) continue
      this.secrets.delete(secret.name)
      this.publish('SECRET_DELETE', secret)
    }
    this.#settledUntil = next
  }
  /** The service's own schedule, at this moment of its clock: sends SECRET_ROTATE for what is due, and answers of which secrets. */
  tick(): readonly string[] {
    this.#settle()
    const now = this.now()
    const due = [...this.secrets.values()].filter(({ rotation }) => (rotation?.nextAt ?? now + 1) <= now)
    for (const secret of due) {
      if (this.rotateShows === 'past') this.publish('SECRET_ROTATE', secret)
      const { nextAt = now, periodMs } = secret.rotation ?? {}
      secret.rotation = periodMs === undefined ? {} : { periodMs, nextAt: nextAt + periodMs * (Math.floor((now - nextAt) / periodMs) + 1) }
      if (this.rotateShows === 'next') this.publish('SECRET_ROTATE', secret)
    }
    return due.map(({ name }) => name)
  }
}

function refuse(fault: Fault | undefined, projectNumber: string): void {
  if (fault === 'unavailable') throw new StatusError(status.UNAVAILABLE, 'The service is currently unavailable.')
  if (fault === 'internal') throw new StatusError(status.INTERNAL, 'Internal error encountered.')
  if (fault === 'throttle') throw quotaExceeded(projectNumber)
  if (typeof fault === 'object' && 'code' in fault) throw new StatusError(fault.code, fault.message ?? 'as the test says')
}

/** What requests have in common: each kind has one of the first four fields. */
interface AnyRequest {
  readonly name?: string | null
  readonly parent?: string | null
  readonly resource?: string | null
  readonly secret?: { readonly name?: string | null } | null
  readonly secretId?: string | null
}
const resourceOf = ({ name, parent, resource, secret }: AnyRequest): string => name || parent || resource || secret?.name || ''
/** With the project's number; undefined where the request does not name a secret of a project that is there. */
function secretOf(request: AnyRequest, names: Names): string | undefined {
  const whole = request.secretId ? `${request.parent}/secrets/${request.secretId}` : resourceOf(request)
  const name = /^projects\/[^/]+(?:\/locations\/[^/]+)?\/secrets\/[^/]+/.exec(whole)?.[0]
  return name !== undefined && names.knows(name.split('/')[1] ?? '') ? names.secret(name).secret : undefined
}
