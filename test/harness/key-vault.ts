import { createHash } from 'node:crypto'
import type { HttpClient } from '@azure/core-rest-pipeline'
import { optional } from '../../shared/core/optional.js'
import { type EventGridEvent, eventOf, type Happening, Watch } from './key-vault/events.js'
import { History } from './key-vault/history.js'
import { inProcess } from './key-vault/in-process.js'
import {
  badParameter,
  conflict,
  forbiddenByFirewall,
  forbiddenByRbac,
  KeyVaultError,
  keyOf,
  type Secrets,
  type StoredVersion,
  type Tags,
  throttled,
  tokenExpired,
  tokenInvalid,
  tokenMissing,
  Vault,
  wrongTenant,
} from './key-vault/model.js'
import { askedOf, type HttpAnswer, type HttpRequest, isWrite, type OperationName, operations } from './key-vault/operations.js'
import { addVersion, type Service, secretOperations } from './key-vault/secrets.js'
import { purgedAt } from './key-vault/views.js'
import { type RedirectedTls, Wire } from './key-vault/wire.js'
import { Authority } from './pg-certificates.js'

/**
 * lost: done, but the connection ends before the answer · cut: the connection ends before it is done · unavailable (503), throttle (429, with
 * Retry-After), internal (500), conflict (409): refused, not done · stale: a list shows what was before the last write of each secret.
 */
export type Fault =
  | 'lost'
  | 'cut'
  | 'unavailable'
  | 'throttle'
  | 'internal'
  | 'conflict'
  | 'stale'
  /** A list shows what was before so many writes of each secret; with `reads`, so does what reads one secret. */
  | { readonly staleWrites: number; readonly reads?: true }
  /** Done after so long. Another write of the secret meanwhile is refused. */
  | { readonly slowMs: number }
  /** Done when the test lets it. Another write of the secret meanwhile is refused. */
  | { readonly delayed: Promise<unknown> }
  /** Done, and answered when the test lets it. */
  | { readonly held: Promise<unknown> }
  | { readonly status: number; readonly code: string; readonly message?: string; readonly retryAfterSeconds?: number }

export interface Call {
  readonly name: OperationName
  readonly vault: string
  /** Undefined for a list of all. */
  readonly secret: string | undefined
  /** Undefined for the newest. */
  readonly version: string | undefined
  /** The body as it came. */
  readonly request: string
  readonly at: number
  readonly writes: boolean
  /** Whether it was about a staging secret. */
  readonly staging: boolean
}
/** What a vault makes of a token: it takes it, it does not, it is over, or it is one of another tenant. */
export type TokenVerdict = boolean | 'expired' | { readonly issuedIn: string }

export interface Options {
  /** The first is the one that a test with a single vault means. */
  readonly vaults?: readonly string[]
  readonly tenant?: string
  /** `vault.azure.cn` and others for the sovereign clouds. */
  readonly suffix?: string
}
/** What a person does by the portal. */
export interface ForeignWrite {
  readonly tags?: Tags
  readonly contentType?: string
  readonly enabled?: boolean
  /** Seconds. */
  readonly expires?: number
}
const isStagingByName = (secret: string): boolean => secret.endsWith('-pending')
const lists: readonly OperationName[] = ['GetSecrets', 'GetSecretVersions', 'GetDeletedSecrets']

/**
 * The secrets of Azure Key Vault, to the unmodified client: several vaults in one HTTPS server on loopback, or in the test's own process without
 * sockets. Versions, states, tags, lists, soft deletion, refusals and events are as the service documents them; error texts that were seen in the
 * field say so in `model.ts`, and the others are the double's own. No server of others can judge it: none can be had from a registry.
 *
 * Left out: keys, certificates and what they add to secrets, backup and restore, access policies (a refusal has the text of role-based access),
 * continuous access evaluation, the service's limits of calls in ten seconds, the seconds in which a secret is being deleted or recovered, and
 * replication (a list is behind where a fault says so). Its clock is the one that it is given: `tick()` fires what has become due. Not documented,
 * and so not to be depended on: that an empty value is taken, that a PATCH without a version changes the newest, that null in a PATCH changes
 * nothing, and that a disabled version fires its expiry.
 *
 * What the unmodified client takes to come here (4.11.2): no variable names a vault's address, and it refuses plain HTTP. `clientOptions` are options
 * of its constructor: `tlsOptions` go into its agent as they are, so that a port and a `lookup` beside the authority lead every
 * `https://NAME.vault.azure.net` to loopback, over real TLS for that name, with the verification of the challenge on. A name that is no vault does
 * not resolve there. `loopbackUrl` has another host and so needs `disableChallengeResourceVerification: true`. `inProcessOptions` replace its
 * transport: the same requests and answers, without sockets. The first call of each client comes twice, first without a token and a body: that is
 * counted in `challenges` and is not a call. A 401 that follows a token makes it send the same token once more. Its own retries are three, on 408,
 * 429, 500 and above, and on a connection that ended or could not be made: *also of a PUT, which then has two versions*. It waits for Retry-After,
 * else 1, 2 and 4 s of real time: `retryOptions: { maxRetries: 0 }`, or `retryAfterSeconds = 0` and `retryDelayInMs: 1`. A list that is refused keeps
 * the status and the outer code, and loses text and inner code. A time after 2038-01-19 is written as a negative number.
 */
export class KeyVaultDouble implements Service {
  readonly vaults = new Map<string, Vault>()
  readonly calls: Call[] = []
  readonly events: EventGridEvent[] = []
  /** Requests without a token. */
  challenges = 0
  /** Asked before each call; `n` counts from 1 over all calls. */
  fault: (call: Call, n: number) => Fault | undefined = () => undefined
  /** Data actions that the caller does not have on anything: `Microsoft.KeyVault/vaults/secrets/getSecret/action`. */
  readonly deny = new Set<string>()
  /** Data actions that the caller does not have on this secret; undefined for a list of all. */
  mayNot: (action: string, secret: string | undefined, vault: string) => boolean = () => false
  /** The bearer token that a call must carry, or what is made of it; undefined takes every token. */
  wantsToken: string | ((token: string, vault: string) => TokenVerdict) | undefined
  isStaging: (secret: string, vault: string) => boolean = isStagingByName
  onEvent: (event: EventGridEvent) => void = () => {}
  pageSize = 25
  retryAfterSeconds = 1
  subscribed = true
  tellsMovedExpiry = false
  readonly now: () => number
  readonly tenant: string
  readonly suffix: string
  /** In the test's own process, without sockets. */
  readonly httpClient: HttpClient
  readonly #names: readonly string[]
  readonly #authority = new Authority()
  readonly #history = new History()
  readonly #watch = new Watch()
  readonly #writing = new Set<string>()
  #wire: Wire | undefined
  #tls: RedirectedTls | undefined
  #made = 0

  private constructor(now: () => number, { vaults = ['app', 'staging'], tenant = '72f9', suffix = 'vault.azure.net' }: Options) {
    this.now = now
    this.tenant = tenant
    this.suffix = suffix
    this.#names = vaults
    for (const name of vaults) this.addVault(name)
    this.httpClient = inProcess((request) => this.#answer(request), this.#knows)
  }
  /** The clock is the test's. */
  static async open(now: () => number, options: Options = {}): Promise<KeyVaultDouble> {
    const double = new KeyVaultDouble(now, options)
    double.#wire = await Wire.open((request) => double.#answer(request), double.#authority, double.#hosts())
    double.#tls = double.#wire.redirected(double.#knows)
    return double
  }
  /** Without a server: only `inProcessOptions` lead there. */
  static inProcess = (now: () => number, options: Options = {}): KeyVaultDouble => new KeyVaultDouble(now, options)
  close = async (): Promise<void> => this.#wire?.close()

  /** The vault's own URL. */
  url = (vault = this.#first): string => `https://${vault}.${this.suffix}`
  /** The same vault under a name that only `clientOptions` resolve everywhere. */
  loopbackUrl = (vault = this.#first): string => `https://${vault}.localhost:${this.port}`
  get port(): number {
    if (this.#wire === undefined) throw new Error('The double was made without a server.')
    return this.#wire.port
  }
  /** The authority's certificate, for NODE_EXTRA_CA_CERTS. */
  get ca(): string {
    return this.#authority.ca
  }
  /** For the constructor of the client: over TLS, on loopback. */
  get clientOptions(): { readonly tlsOptions: RedirectedTls } {
    if (this.#tls === undefined) throw new Error('The double was made without a server.')
    return { tlsOptions: this.#tls }
  }
  /** For the constructor of the client: without sockets. */
  get inProcessOptions(): { readonly httpClient: HttpClient } {
    return { httpClient: this.httpClient }
  }

  addVault(name: string, tenant = this.tenant): Vault {
    const vault = new Vault(name, tenant)
    this.vaults.set(name, vault)
    this.#wire?.certify(this.#hosts())
    return vault
  }
  vault(name = this.#first): Vault {
    const vault = this.vaults.get(name)
    if (vault === undefined) throw new Error(`There is no vault ${name}.`)
    return vault
  }
  get #first(): string {
    return this.#names[0] ?? ''
  }
  readonly #hosts = (): readonly string[] => [`*.${this.suffix}`, ...[...this.vaults.keys()].map((name) => `${name}.localhost`)]
  readonly #vaultAt = (host: string): Vault | undefined =>
    [this.suffix, 'localhost'].some((suffix) => host.endsWith(`.${suffix}`)) ? this.vaults.get(host.split('.')[0] ?? '') : undefined
  readonly #knows = (host: string): boolean => this.#vaultAt(host) !== undefined

  /** As it was when it was opened, on the same port. */
  reset(): void {
    for (const kept of [this.vaults, this.deny, this.#history, this.#watch, this.#writing]) kept.clear()
    for (const name of this.#names) this.vaults.set(name, new Vault(name, this.tenant))
    this.calls.length = 0
    this.events.length = 0
    this.#made = 0
    this.fault = () => undefined
    this.mayNot = () => false
    this.onEvent = () => {}
    this.isStaging = isStagingByName
    Object.assign(this, {
      challenges: 0,
      wantsToken: undefined,
      pageSize: 25,
      retryAfterSeconds: 1,
      subscribed: true,
      tellsMovedExpiry: false,
    })
  }
  count = (name?: OperationName): number => this.calls.filter((call) => name === undefined || call.name === name).length
  /** How many writes were asked for: of all secrets, of the staging ones, or of the others. */
  writes = (of: 'all' | 'staging' | 'consumer' = 'all'): number =>
    this.calls.filter(({ writes, staging }) => writes && (of === 'all' || staging === (of === 'staging'))).length
  /** How often a secret was written, of all writes that were done: what `staleWrites` counts back from. */
  writesOf = (secret: string, vault = this.#first): number => this.#history.writesOf(vault, keyOf(secret))
  /** What is stored, in the order of creation; also of a deleted secret. */
  versions = (secret: string, vault = this.#first): readonly StoredVersion[] => this.vault(vault).secrets.get(keyOf(secret))?.versions ?? []

  /** A new version by another hand: not a call, asked of no role and refused by no firewall. Answers its id. */
  writeForeign(secret: string, value: string, { tags, contentType, enabled, expires }: ForeignWrite = {}, vault = this.#first): string {
    const given = { value, tags, contentType, enabled, expires, notBefore: undefined }
    return this.#kept(this.vault(vault), secret, () => addVersion(this, this.vault(vault), secret, given)).version.id
  }

  async #answer(request: HttpRequest): Promise<HttpAnswer | 'cut'> {
    const vault = this.#vaultAt(request.url.hostname)
    if (vault === undefined) return 'cut'
    try {
      const body = await this.#perform(vault, request)
      if (body === 'cut') return body
      return body === undefined ? { status: 204, headers: {}, body: '' } : { status: 200, headers: json, body: JSON.stringify(body) }
    } catch (cause) {
      const error = cause instanceof KeyVaultError ? cause : new KeyVaultError(500, 'DoubleFailed', `The double failed: ${cause}`)
      const headers = { ...json, ...error.headers, ...(error.status === 401 ? challengeOf(vault, this.suffix) : {}) }
      return { status: error.status, headers, body: error.body }
    }
  }
  async #perform(vault: Vault, request: HttpRequest): Promise<object | 'cut' | undefined> {
    if (request.authorization === undefined) {
      this.challenges += 1
      throw tokenMissing()
    }
    this.#settle()
    const call = this.#record(vault, request)
    const fault = this.fault(call, this.calls.length)
    if (fault === 'cut') return fault
    const result = await this.#alone(call, async () => {
      if (typeof fault === 'object' && 'slowMs' in fault) await new Promise((resolve) => setTimeout(resolve, fault.slowMs))
      if (typeof fault === 'object' && 'delayed' in fault) await fault.delayed
      this.#admit(vault, call, request.authorization ?? '')
      this.#refuse(fault, call)
      return this.#do(vault, call, request, staleOf(fault, call))
    })
    if (fault === 'lost') return 'cut'
    if (typeof fault === 'object' && 'held' in fault) await fault.held
    return result
  }
  #record(vault: Vault, request: HttpRequest): Call {
    const asked = askedOf(request)
    if (asked === undefined) throw badParameter(`The double does not serve ${request.method} ${request.url.pathname}.`)
    const { name, secret, version } = asked
    const staging = secret !== undefined && this.isStaging(secret, vault.name)
    const call = { name, vault: vault.name, secret, version, request: request.body, at: this.now(), writes: isWrite(name), staging }
    this.calls.push(call)
    return call
  }
  /** Of two writes of one secret that are here at the same time, the later one is refused. */
  async #alone<T>({ writes, vault, secret = '' }: Call, act: () => Promise<T>): Promise<T> {
    if (!writes) return act()
    const place = `${vault}/${keyOf(secret)}`
    if (this.#writing.has(place)) throw conflict(secret)
    this.#writing.add(place)
    try {
      return await act()
    } finally {
      this.#writing.delete(place)
    }
  }
  /** In the order of the service: the token, the address, the role. Whether the secret is there comes after them. */
  #admit(vault: Vault, { name, secret }: Call, authorization: string): void {
    const wanted = this.wantsToken
    const token = /^Bearer (.*)$/.exec(authorization)?.[1] ?? ''
    const verdict = typeof wanted === 'function' ? wanted(token, vault.name) : wanted === undefined || token === wanted
    if (verdict === 'expired') throw tokenExpired()
    if (typeof verdict === 'object') throw wrongTenant(vault.tenant, verdict.issuedIn)
    if (!verdict) throw tokenInvalid()
    if (vault.refusesAddress) throw forbiddenByFirewall(vault)
    const { action } = operations[name]
    if (this.deny.has(action) || this.mayNot(action, secret, vault.name)) throw forbiddenByRbac(vault, action, secret)
  }
  #refuse(fault: Fault | undefined, { secret = '' }: Call): void {
    if (fault === 'unavailable') throw new KeyVaultError(503, 'ServiceUnavailable', 'The service is unavailable.')
    if (fault === 'internal') throw new KeyVaultError(500, 'InternalServerError', 'The server has met an error.')
    if (fault === 'throttle') throw throttled(this.retryAfterSeconds)
    if (fault === 'conflict') throw conflict(secret)
    if (typeof fault !== 'object' || !('status' in fault)) return
    const { status, code, message = 'as the test says', retryAfterSeconds: after } = fault
    throw new KeyVaultError(status, code, message, undefined, optional('retry-after', after?.toString()))
  }
  #do(vault: Vault, { name, secret = '', version }: Call, { url, body }: HttpRequest, staleWrites: number): object | undefined {
    if (url.searchParams.get('api-version') === null) throw badParameter('api-version must be specified.')
    const seen: Secrets = staleWrites === 0 ? vault.secrets : this.#history.seen(vault.name, vault.secrets, staleWrites)
    const act = () => secretOperations[name](this, { vault, url, base: url.origin, secret, version, body, seen })
    return isWrite(name) ? this.#kept(vault, secret, act) : act()
  }
  #kept<T>(vault: Vault, secret: string, write: () => T): T {
    const key = keyOf(secret)
    const before = vault.secrets.get(key)
    const result = write()
    this.#history.keep(vault.name, key, before)
    return result
  }

  nowSeconds = (): number => Math.floor(this.now() / 1000)
  /** By count, so that a run can be repeated; in no order, as the service's. */
  newVersionId = (): string =>
    createHash('sha256')
      .update(`version ${++this.#made}`)
      .digest('hex')
      .slice(0, 32)
  forgetExpiry = (version: string): void => this.#watch.forget(version)
  publish(happening: Happening): void {
    const event = eventOf(happening, `event-${++this.#made}`, this.now(), this.url(happening.vault.name))
    this.events.push(event)
    this.onEvent(event)
  }
  /** What the double's clock has made due by itself: deleted secrets whose time is over. */
  #settle(): void {
    for (const vault of this.vaults.values())
      for (const [key, { deletedAt }] of vault.secrets)
        if (deletedAt !== undefined && purgedAt(vault, deletedAt) <= this.nowSeconds()) vault.secrets.delete(key)
  }
  /** At this moment of its clock: fires the expiries that are due, and answers what it fired. */
  tick(): readonly EventGridEvent[] {
    this.#settle()
    const from = this.events.length
    for (const vault of this.vaults.values()) for (const happening of this.#watch.due(vault, this.nowSeconds())) this.publish(happening)
    return this.events.slice(from)
  }
}

const json = { 'content-type': 'application/json; charset=utf-8' }
const challengeOf = ({ tenant }: Vault, suffix: string) => ({
  'www-authenticate': `Bearer authorization="https://login.microsoftonline.com/${tenant}", resource="https://${suffix}"`,
})
/** How many writes of each secret a call does not see. */
function staleOf(fault: Fault | undefined, { name }: Call): number {
  const stale = fault === 'stale' ? { staleWrites: 1 } : typeof fault === 'object' && 'staleWrites' in fault ? fault : undefined
  return stale !== undefined && (lists.includes(name) || ('reads' in stale && stale.reads)) ? stale.staleWrites : 0
}
