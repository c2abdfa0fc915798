import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, type JWK, SignJWT } from 'jose'
import { type Asked, lacking, Refusal, readCreate } from './cloud-tasks/request.js'

/**
 * A status: answered instead, nothing made · cut: the connection ends before anything is made · lost: the task is made, and the connection ends before the
 * answer · held: made and answered when the test lets it · says: this whole answer, nothing made.
 */
export type Fault =
  | 429
  | 500
  | 503
  | 'cut'
  | 'lost'
  | { readonly held: Promise<unknown> }
  | { readonly says: { readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> } }

/** A task that waits for its next attempt. */
export interface Task extends Asked {
  at: number
  attempts: number
  /** How many answers came, without those of 5xx. */
  answers: number
  last: number | undefined
}
/** What an attempt to deliver a task brought: the receiver's status; undefined where it gave none. */
export interface Delivery {
  readonly name: string
  readonly status: number | undefined
}

const names: Readonly<Record<number, string>> = { 429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL', 503: 'UNAVAILABLE' }
const issuer = 'https://accounts.google.com'
let signer: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } | undefined
const keys = () => (signer ??= generateKeyPairSync('rsa', { modulusLength: 2048 }))

/**
 * Google Cloud Tasks by REST on loopback: tasks.create and the deliveries of a queue. Names are refused while a task lives and for a while after it, as the
 * service documents it. It delivers to addresses on 127.0.0.1 alone: `reaches` says where a URL leads. Left out: rate limits, pausing, every other method.
 */
export class CloudTasksDouble {
  readonly queues = new Set(['projects/p/locations/europe-west1/queues/work'])
  readonly tasks = new Map<string, Task>()
  /** Names of tasks that are gone, and since when. */
  readonly gone = new Map<string, number>()
  /** What tasks.create was sent and answered with; undefined where it got no answer. */
  readonly calls: { readonly path: string; readonly text: string; status: number | undefined }[] = []
  readonly deliveries: Delivery[] = []
  /** URLs of tasks, and the addresses on loopback that stand for them. */
  readonly reaches = new Map<string, `http://127.0.0.1:${number}${string}`>()
  readonly deny = new Set<'cloudtasks.tasks.create' | 'iam.serviceAccounts.actAs'>()
  /** Asked before each call; `n` counts from 1. */
  fault: (n: number) => Fault | undefined = () => undefined
  wantsToken = 'ya29.test'
  /** The documentation says up to four hours. */
  tombstoneMs = 4 * 3_600_000
  /** The defaults of a queue. */
  retry = { attemptsMax: 100, backoffMsMin: 100, backoffMsMax: 3_600_000, doublingsMax: 16 }
  readonly #now: () => number
  readonly #server: Server
  #timer: NodeJS.Timeout | undefined

  private constructor(now: () => number) {
    this.#now = now
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }
  /** The clock is the test's. */
  static async open(now: () => number): Promise<CloudTasksDouble> {
    const double = new CloudTasksDouble(now)
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve))
    return double
  }
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
  get endpoint(): `http://127.0.0.1:${number}` {
    return `http://127.0.0.1:${this.address.port}`
  }
  get address(): AddressInfo {
    return this.#server.address() as AddressInfo
  }
  /** The public keys of its tokens, as Google publishes them. */
  jwks = async (): Promise<{ readonly keys: readonly JWK[] }> => ({
    keys: [{ ...(await exportJWK(keys().publicKey)), kid: 'double', alg: 'RS256', use: 'sig' }],
  })

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const call = { path: request.url ?? '', text: Buffer.concat(chunks).toString('utf8'), status: undefined as number | undefined }
    this.calls.push(call)
    const fault = this.fault(this.calls.length)
    if (fault === 'cut') return void request.socket.destroy()
    if (typeof fault === 'object' && 'says' in fault) {
      call.status = fault.says.status
      return void response.writeHead(fault.says.status, fault.says.headers).end(fault.says.body)
    }
    const { status, body } = this.#answer(request, call.text, fault)
    if (fault === 'lost') return void request.socket.destroy()
    if (typeof fault === 'object') await fault.held
    call.status = status
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

  #answer(request: IncomingMessage, text: string, fault: Fault | undefined): { readonly status: number; readonly body: object } {
    try {
      if (typeof fault === 'number') throw new Refusal(fault, names[fault] ?? '', 'The service is having trouble.')
      return { status: 200, body: this.#create(request, text) }
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause
      return { status: cause.http, body: { error: { code: cause.http, message: cause.message, status: cause.status } } }
    }
  }
  #create({ method, url = '', headers }: IncomingMessage, text: string): object {
    const [, queue = ''] = /^\/v2\/(projects\/[^/]+\/locations\/[^/]+\/queues\/[^/]+)\/tasks$/.exec(url) ?? []
    if (queue === '' || method !== 'POST') throw new Refusal(404, 'NOT_FOUND', 'The requested URL was not found on this server.')
    if (headers.authorization !== `Bearer ${this.wantsToken}`)
      throw new Refusal(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.')
    if (!/^application\/json\b/.test(headers['content-type'] ?? '')) throw new Refusal(400, 'INVALID_ARGUMENT', 'The body is not JSON.')
    if (this.deny.has('cloudtasks.tasks.create')) throw lacking('cloudtasks.tasks.create', queue)
    const now = this.#now()
    const asked = readCreate(text, queue, now)
    if (!this.queues.has(queue))
      throw new Refusal(
        404,
        'NOT_FOUND',
        'Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.',
      )
    if (asked.oidc !== undefined && this.deny.has('iam.serviceAccounts.actAs')) throw lacking('iam.serviceAccounts.actAs', asked.oidc.email)
    this.#assertNew(asked.name, now)
    const at = Math.max(now, asked.scheduleTime ?? now)
    this.tasks.set(asked.name, { ...asked, at, attempts: 0, answers: 0, last: undefined })
    return { name: asked.name, scheduleTime: new Date(at).toISOString(), createTime: new Date(now).toISOString(), view: 'BASIC' }
  }
  #assertNew(name: string, now: number): void {
    if (this.tasks.has(name)) throw new Refusal(409, 'ALREADY_EXISTS', 'Requested entity already exists')
    if (now - (this.gone.get(name) ?? Number.NEGATIVE_INFINITY) >= this.tombstoneMs) return
    throw new Refusal(409, 'ALREADY_EXISTS', 'The task cannot be created because a task with this name existed too recently.')
  }

  /** The tasks that may be delivered by now. */
  get due(): readonly Task[] {
    return [...this.tasks.values()].filter(({ at }) => at <= this.#now())
  }
  /** Delivers what is due once. `order` may turn it round, leave some for later, and have one twice: the service may do all of that. */
  async dispatch(order: (due: readonly Task[]) => readonly Task[] = (due) => due): Promise<readonly Delivery[]> {
    const done: Delivery[] = []
    for (const task of order(this.due)) done.push(await this.#deliver(task))
    return done
  }
  /** From now on it delivers by itself what its clock says is due. */
  run(everyMs: number): void {
    let busy = false
    const pass = async () => {
      if (busy) return
      busy = true
      await this.dispatch().finally(() => (busy = false))
    }
    this.#timer = setInterval(() => void pass(), everyMs).unref()
  }

  async #deliver(task: Task): Promise<Delivery> {
    const to = this.reaches.get(task.url)
    if (to === undefined || new URL(to).hostname !== '127.0.0.1') throw new Error(`Nothing on loopback stands for ${task.url}.`)
    const headers = await this.#headersOf(task)
    task.attempts++
    const signal = AbortSignal.timeout(task.dispatchDeadlineMs)
    const sent = fetch(to, { method: task.method, headers, body: task.body, redirect: 'manual', signal })
    const status = await sent.then(
      async (answer) => {
        await answer.arrayBuffer()
        return answer.status
      },
      () => undefined, // no answer is an outcome here: the attempt failed
    )
    if (status !== undefined && status < 500) task.answers++
    task.last = status
    const delivery = { name: task.name, status }
    this.deliveries.push(delivery)
    if ((status !== undefined && status >= 200 && status < 300) || task.attempts >= this.retry.attemptsMax) this.#end(task)
    else task.at = this.#now() + this.#backoffMs(task.attempts)
    return delivery
  }
  #end({ name }: Task): void {
    this.tasks.delete(name)
    this.gone.set(name, this.#now())
  }
  #backoffMs(attempts: number): number {
    const { backoffMsMin, backoffMsMax, doublingsMax } = this.retry
    return Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(attempts - 1, doublingsMax))
  }

  async #headersOf({ name, headers, at, attempts, answers, last, oidc }: Task): Promise<Readonly<Record<string, string>>> {
    const [, , , , , queue = '', , id = ''] = name.split('/')
    return {
      'content-type': 'application/octet-stream',
      ...headers,
      'user-agent': 'Google-Cloud-Tasks',
      'X-CloudTasks-QueueName': queue,
      'X-CloudTasks-TaskName': id,
      'X-CloudTasks-TaskRetryCount': String(attempts),
      'X-CloudTasks-TaskExecutionCount': String(answers),
      'X-CloudTasks-TaskETA': (at / 1000).toFixed(6),
      ...(attempts > 0 ? { 'X-CloudTasks-TaskPreviousResponse': String(last ?? 0) } : {}),
      ...(oidc === undefined ? {} : { Authorization: `Bearer ${await this.#tokenFor(oidc)}` }),
    }
  }
  #tokenFor({ email, audience }: NonNullable<Asked['oidc']>): Promise<string> {
    const seconds = Math.floor(this.#now() / 1000)
    return new SignJWT({ email, email_verified: true, azp: '1' })
      .setProtectedHeader({ alg: 'RS256', kid: 'double', typ: 'JWT' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject('1')
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + 3600)
      .sign(keys().privateKey)
  }
}
