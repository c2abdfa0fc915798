import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type DoubleEvent, notFound, pending, type Secret, ServiceError } from './secrets-manager/model.js'
import { type Input, type Output, operations, text } from './secrets-manager/operations.js'
import { attemptOnce, cancelRotateSecret, rotateSecret, startRotation } from './secrets-manager/rotation.js'
import { startDue, windowOf } from './secrets-manager/schedule.js'

/** drop: done, but the answer is lost · cut: the connection ends before it is done · stale: answered from before the last write. */
export type Fault =
  | 'drop'
  | 'cut'
  | 'error'
  | 'throttle'
  | 'stale'
  | { readonly slowMs: number }
  | { readonly type: string; readonly message?: string }

export interface RotationEvent {
  readonly Step: string
  readonly SecretId: string
  readonly ClientRequestToken: string
  readonly RotationToken: string
}
/** What a rotation function answered: undefined, or what it threw. */
export type Invoke = (event: RotationEvent) => Promise<string | undefined>

export interface Call {
  readonly name: string
  readonly input: Input
  readonly at: number
}

/**
 * AWS Secrets Manager as a server on loopback: the JSON 1.1 protocol, to the unmodified SDK. Versions, labels, tokens and RotateSecret as the
 * service documents them and as snapshots of it show. Left out: resource policies and IAM (but for what `deny` says), encryption keys,
 * BatchGetSecretValue, GetRandomPassword, binary values, signatures, and the service's replication delay (a replica is
 * behind until `replicate()`). Its clock is the one that it is given: `tick()` starts what is due by it, at a window's opening.
 */
export class SecretsManagerDouble {
  readonly secrets = new Map<string, Secret>()
  readonly calls: Call[] = []
  readonly events: DoubleEvent[] = []
  /** By ARN. */
  readonly functions = new Map<string, Invoke>()
  /** Asked before each call; `n` counts from 1 over all calls. */
  fault: (call: Call, n: number) => Fault | undefined = () => undefined
  /** Actions that this role may not do. */
  readonly deny = new Set<string>()
  /** ListSecretVersionIds is allowed on these all the same. */
  mayList: (secretId: unknown) => boolean = () => false
  /** How often an attempt is made again by itself; the service's own number is not documented. */
  attemptsMax = 5
  wantsRotationToken = false
  /** Calls a second that change something; the account's quota is 50. */
  writesPerSecondMax = Number.POSITIVE_INFINITY
  pageSize = 100
  now: () => number
  readonly #server: Server
  #ids = 0
  #running = new Map<Secret, Promise<void>>()
  #before = new Map<string, Secret>()
  #writes: number[] = []

  private constructor(now: () => number) {
    this.now = now
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  static async open(now: () => number = Date.now): Promise<SecretsManagerDouble> {
    const double = new SecretsManagerDouble(now)
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve))
    return double
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    await this.settled()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** Runs until the rotation in flight has come to its end, or its attempts are used up. */
  attempt(secret: Secret): Promise<void> {
    const running = this.#running.get(secret)
    if (running) return running
    const run = this.#attempts(secret).finally(() => this.#running.delete(secret))
    this.#running.set(secret, run)
    return run
  }
  async #attempts(secret: Secret): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)) // the answer to RotateSecret goes out first
    for (let attempt = 1; attempt <= this.attemptsMax; attempt++) if (await attemptOnce(this, secret)) return
    this.record(secret.rotation.testOnly ? 'TestRotationFailed' : 'RotationFailed', secret)
  }
  /** The service's own schedule, at this moment of its clock: starts what is due and answers which; each once in its window. */
  tick = (): readonly string[] => startDue(this, (secret, token) => startRotation(this, secret, token))

  /** No rotation is running any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values())
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const name = String(request.headers['x-amz-target'] ?? '').replace(/^secretsmanager\./, '')
    const body = Buffer.concat(chunks).toString('utf8')
    const input = (body === '' ? {} : JSON.parse(body)) as Input
    const call = { name, input, at: this.now() }
    this.calls.push(call)
    const fault = this.fault(call, this.calls.length)
    if (fault === 'cut') return void request.socket.destroy()
    if (typeof fault === 'object' && 'slowMs' in fault) await new Promise((resolve) => setTimeout(resolve, fault.slowMs))
    const { status, output, type } = this.#answer(name, input, fault)
    if (fault === 'drop') return void request.socket.destroy()
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', ...(type ? { 'x-amzn-errortype': type } : {}) })
    response.end(JSON.stringify(output))
  }

  #answer(name: string, input: Input, fault: Fault | undefined): { status: number; output: Output; type?: string } {
    try {
      if (fault === 'error') throw new ServiceError('InternalServiceError', 'An error occurred on the server side.', 500)
      if (fault === 'throttle') throw new ServiceError('ThrottlingException', 'Rate exceeded')
      if (typeof fault === 'object' && 'type' in fault) throw new ServiceError(fault.type, fault.message ?? 'as the test says')
      if (this.deny.has(name) && !(name === 'ListSecretVersionIds' && this.mayList(input.SecretId)))
        throw new ServiceError(
          'AccessDeniedException',
          `User: arn:aws:sts::123456789012:assumed-role/test is not authorized to perform: secretsmanager:${name}`,
        )
      return { status: 200, output: this.do(name, input, fault === 'stale') }
    } catch (cause) {
      if (!(cause instanceof ServiceError)) throw cause
      return { status: cause.status, output: { __type: cause.type, message: cause.message, Message: cause.message }, type: cause.type }
    }
  }

  /** One call, without the wire. */
  do(name: string, input: Input, stale = false): Output {
    const writes = !/^(Get|Describe|List)/.test(name)
    if (writes) this.#count()
    const id = text(input, 'SecretId')
    const there = id === undefined ? undefined : this.#lookup(id)
    if (stale && there && !writes) {
      const old = this.#before.get(there.name)
      if (old === undefined) throw notFound()
      this.secrets.set(there.name, old)
      try {
        return operations[name]?.(this, input) ?? {}
      } finally {
        this.secrets.set(there.name, there)
      }
    }
    if (writes && there) this.#before.set(there.name, structuredClone(there))
    if (name === 'RotateSecret') return rotateSecret(this, input)
    if (name === 'CancelRotateSecret') return cancelRotateSecret(this, input)
    const operation = operations[name]
    if (operation === undefined) throw new ServiceError('UnknownOperationException', `${name} is not an operation of this double.`)
    return operation(this, input)
  }

  #count(): void {
    const now = this.now()
    this.#writes = this.#writes.filter((at) => now - at < 1000)
    if (this.#writes.length >= this.writesPerSecondMax) throw new ServiceError('ThrottlingException', 'Rate exceeded')
    this.#writes.push(now)
  }

  #lookup(id: string): Secret | undefined {
    return this.secrets.get(id) ?? [...this.secrets.values()].find(({ arn }) => arn === id || arn.slice(0, -7) === id)
  }
  find(input: Input): Secret {
    const secret = this.#lookup(text(input, 'SecretId') ?? '')
    if (secret === undefined) throw notFound()
    return secret
  }

  make(name: string): Secret {
    const suffix = createHash('sha256')
      .update(name)
      .digest('base64')
      .replace(/[^A-Za-z0-9]/g, '')
      .slice(0, 6)
    const arn = `arn:aws:secretsmanager:eu-west-1:123456789012:secret:${name}-${suffix}`
    const at = this.now()
    return {
      name,
      arn,
      versions: new Map(),
      tags: new Map(),
      rotation: { enabled: false, attempts: 0 },
      createdAt: at,
      changedAt: at,
      replicas: [],
    }
  }

  /** What DescribeSecret and ListSecrets have in common. Times are seconds. */
  entry(secret: Secret): Output {
    const { rotation, rotatedAt } = secret
    const window = windowOf(secret, this.now())
    const next = window ? { NextRotationDate: window.closesAt / 1000 } : {} // on or before this date, as the service says it
    return {
      ARN: secret.arn,
      Name: secret.name,
      Tags: [...secret.tags].map(([Key, Value]) => ({ Key, Value })),
      RotationEnabled: rotation.enabled,
      ...(rotation.functionArn ? { RotationLambdaARN: rotation.functionArn } : {}),
      ...(rotation.rules ? { RotationRules: rotation.rules } : {}),
      CreatedDate: secret.createdAt / 1000,
      LastChangedDate: secret.changedAt / 1000,
      ...(rotatedAt === undefined ? {} : { LastRotatedDate: rotatedAt / 1000 }),
      ...(secret.deletedAt === undefined ? {} : { DeletedDate: secret.deletedAt / 1000 }),
      ...(secret.owningService === undefined ? {} : { OwningService: secret.owningService }),
      ...(secret.primaryRegion === undefined ? {} : { PrimaryRegion: secret.primaryRegion }),
      ...next,
    }
  }

  page<T>(all: readonly T[], input: Input): { page: readonly T[]; next: { NextToken?: string } } {
    const from = Number(text(input, 'NextToken') ?? 0)
    const size = Math.min(typeof input.MaxResults === 'number' ? input.MaxResults : this.pageSize, this.pageSize)
    const page = all.slice(from, from + size)
    return { page, next: from + size < all.length ? { NextToken: String(from + size) } : {} }
  }

  newId(): string {
    const hex = createHash('sha256')
      .update(`id-${++this.#ids}`)
      .digest('hex')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  }
  /** Not the client's token, and sensitive. */
  rotationTokenOf = (token: string): string => `rt-${createHash('sha256').update(token).digest('hex')}`

  record(name: string, { name: secret }: Secret, detail?: string): void {
    this.events.push({ at: this.now(), name, secret, ...(detail === undefined ? {} : { detail }) })
  }

  /** Somebody changed the value by hand while a rotation was in flight. */
  abandon(secret: Secret): void {
    const { inFlight, ...rest } = secret.rotation
    if (inFlight === undefined) return
    secret.versions.get(inFlight)?.stages.delete(pending)
    secret.rotation = rest
    this.record('RotationAbandoned', secret)
  }

  /** For tests: all replicas have caught up. */
  replicate(name: string): void {
    for (const replica of this.secrets.get(name)?.replicas ?? []) replica.Status = 'InSync'
  }
  count = (name?: string): number => this.calls.filter((call) => name === undefined || call.name === name).length
}
