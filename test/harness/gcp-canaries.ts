import { createServer, type Server } from 'node:net'
import { createHandler as createInvoke } from '../../functions/gcp/invoke.js'
import { createHandler as createJwks } from '../../functions/gcp/jwks.js'
import { createHandler as createRotate } from '../../functions/gcp/rotate.js'
import { createHandler as createSweep } from '../../functions/gcp/sweep.js'
import { CloudTasks } from '../../functions/gcp/tasks.js'
import { createHandler as createWork } from '../../functions/gcp/work.js'
import type { DeadLetter } from '../../shared/core/ports/dead-letters.js'
import type { Env } from '../../shared/core/ports/env.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import { canary } from './cli-canary.js'
import { CloudTasksDouble } from './cloud-tasks.js'
import { gcpHarness, openGcp } from './gcp.js'
import { eventHeaders, messageOf, type Seen, ServedFunction } from './gcp-functions.js'
import { GoogleMachine } from './gcp-machine.js'
import { Outlets } from './outlets.js'
import { WebhookServer } from './webhook-server.js'

const queue = { queue: 'projects/p/locations/l/queues/work', url: 'https://work.a.run.app/', account: 'worker@p.iam.gserviceaccount.com' }
const environment = { GOOGLE_CLOUD_PROJECT: 'p', KEYTURN_SHORT_GRACE: '1', KEYTURN_CONFIG: 'gcp:config', KEYTURN_JWKS: 'gcp:set' }
const names = ['rotate', 'sweep', 'work', 'invoke', 'jwks'] as const
export type FunctionName = (typeof names)[number]
let count = 0

/**
 * The five functions behind the framework's server, over the doubles of Secret Manager and Cloud Tasks, a metadata server, a receiver of webhooks, a target in
 * memory and one of PostgreSQL's protocol that refuses everybody. Each secret that they meet is a canary, and each way out is kept.
 */
export class CanaryWorld {
  /** By what they are. The values that rotations make are added by `secretsNow`. */
  readonly canaries = {
    password: canary('pass'),
    note: canary('note'),
    pgPassword: canary('pgpw'),
    adminPassword: canary('admn'),
    webhookKey: canary('hook'),
    metadataToken: `ya29.${canary('tokn').replace('ü', '~')}`, // a header takes ASCII
    bearer: canary('bear'),
    privateKey: canary('priv'),
    body: canary('body'),
    event: canary('evnt'),
  }
  readonly target = new MemoryTarget()
  /** Ended by hand, because it ends what the process writes. */
  outlets!: Outlets
  machine!: GoogleMachine
  world!: Awaited<ReturnType<typeof gcpHarness>>
  tasks!: CloudTasksDouble
  webhook!: WebhookServer
  readonly #served = new Map<FunctionName, ServedFunction>()
  #postgres!: Server
  rotateHandler!: ReturnType<typeof createRotate>

  static async open(): Promise<CanaryWorld> {
    const one = new CanaryWorld()
    one.outlets = new Outlets()
    one.machine = await GoogleMachine.open()
    one.machine.metadata.token = one.canaries.metadataToken
    one.world = await gcpHarness('one clock')
    one.tasks = await CloudTasksDouble.open(one.world.env.now)
    Object.assign(one.tasks, { wantsToken: one.canaries.metadataToken })
    one.tasks.queues.clear()
    one.tasks.queues.add(queue.queue)
    one.webhook = await WebhookServer.open()
    await one.#listenAsPostgres()
    await one.#serve()
    await one.#fill()
    return one
  }
  async close(): Promise<void> {
    for (const served of this.#served.values()) await served.close()
    this.webhook.close()
    await new Promise((resolve) => this.#postgres.close(resolve))
    await this.tasks.close()
    await this.world.close()
    await this.machine.close()
    this.outlets.close()
  }

  /** Everything secret in one sentence: what a careless service, target or receiver says. */
  get quotes(): string {
    return `refused: ${Object.values(this.secretsNow()).join(' and ')}`
  }
  /** The canaries, and each password that a rotation has made so far. */
  secretsNow(): Readonly<Record<string, string>> {
    const made = [...this.target.logins.map(({ secret }) => secret), ...this.target.accounts.values()]
    const fresh = [...new Set(made)].filter((one) => one !== this.canaries.password && one !== '')
    return { ...this.canaries, ...Object.fromEntries(fresh.map((one, index) => [`made ${index}`, one])) }
  }

  /** What the target in memory can know: the passwords that it has, and the one that was made last. */
  get targetQuotes(): string {
    return `refused: ${[...this.target.accounts.values(), this.#lastStaged()].join(' and ')}`
  }
  #lastStaged(): string {
    const { data } = this.world.double.secrets.get('projects/123456789012/secrets/db--pending')?.versions.at(-1) ?? {}
    const text = Buffer.from(data ?? '').toString()
    return text === '' ? '' : (JSON.parse(text.slice(text.indexOf('\n') + 1)) as { password: string }).password
  }

  /** PostgreSQL that speaks no TLS, and quotes in its refusal the password of whoever wants in. */
  async #listenAsPostgres(): Promise<void> {
    this.#postgres = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.on('data', (data) => {
        if (data.length === 8) return void socket.write('N')
        const { pgPassword, adminPassword } = this.canaries
        const password = data.includes('admin') ? adminPassword : pgPassword
        const text = Buffer.from(`SFATAL\0C28P01\0Mno entry for ${password}\0\0`)
        const length = Buffer.alloc(4)
        length.writeInt32BE(text.length + 4)
        socket.end(Buffer.concat([Buffer.from('E'), length, text]))
      })
    })
    await new Promise<void>((resolve) => this.#postgres.listen(0, '127.0.0.1', resolve))
  }
  get #postgresPort(): number {
    const address = this.#postgres.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  async #serve(): Promise<void> {
    const { world } = this
    const given = {
      environment,
      env: { now: world.env.now, sleep: world.env.sleep, random: world.env.random }, // its log is the real one
      openStore: () => openGcp(world.double, world.env),
      openQueue: (env: Env) => new CloudTasks({ ...queue, env, endpoint: this.tasks.endpoint }),
      letters: { put: async (letter: DeadLetter) => this.outlets.note('dead letters', JSON.stringify(letter)) },
    }
    this.rotateHandler = createRotate(given)
    this.#served.set('rotate', await ServedFunction.events(this.rotateHandler))
    const handlers = { sweep: createSweep(given), work: createWork(given), invoke: createInvoke(given), jwks: createJwks(given) }
    for (const [name, handler] of Object.entries(handlers)) this.#served.set(name as FunctionName, await ServedFunction.http(handler))
    this.tasks.reaches.set(queue.url, this.on('work').url as `http://127.0.0.1:${number}`)
  }
  on(name: FunctionName): ServedFunction {
    const served = this.#served.get(name)
    if (served === undefined) throw new Error(`There is no function ${name}.`)
    return served
  }

  /** The secrets as people made them, with their policies; nothing was rotated yet. */
  async #fill(): Promise<void> {
    const { password, note, pgPassword, adminPassword, webhookKey } = this.canaries
    const { store } = this.world
    const at = `canaries-${++count}`
    setMemoryTarget(at, this.target)
    this.target.accounts.set('app', password)
    const hook = {
      kind: 'webhook',
      required: true,
      url: `http://127.0.0.1:${this.webhook.port}/`,
      plaintext: true,
      allow: ['127.0.0.0/8'],
      keys: [`whsec_${Buffer.from(webhookKey).toString('base64')}`],
    }
    await this.#put('config', JSON.stringify({ consumers: { web: hook } }))
    await this.#put('set', JSON.stringify({ keys: [this.#publicKey()] }))
    const postgres = { engine: 'postgres', host: '127.0.0.1', port: this.#postgresPort, dbname: 'app', sslmode: 'disable' }
    await this.#put('admin', JSON.stringify({ ...postgres, username: 'admin', password: adminPassword }))
    const policy = { 'keyturn-rotator': 'memory-a', 'keyturn-every': '30d', 'keyturn-grace': '1m', 'keyturn-consumers': 'web' }
    await store.create('db', new SecretText(JSON.stringify({ engine: 'memory-a', target: at, username: 'app', password, note })), policy)
    const pg = { 'keyturn-rotator': 'postgres', 'keyturn-every': '30d', 'keyturn-admin': 'gcp:admin' }
    await store.create('pg', new SecretText(JSON.stringify({ ...postgres, username: 'app', password: pgPassword })), pg)
    this.world.env.time += 86_400_000
  }
  #publicKey = () => ({ kty: 'OKP', crv: 'Ed25519', kid: 'k1', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', use: 'sig', alg: 'EdDSA' })
  /** A secret that nobody rotates, or its next version. */
  async #put(name: string, text: string): Promise<void> {
    const { double } = this.world
    if (!double.secrets.has(`projects/123456789012/secrets/${name}`))
      double.do('CreateSecret', { parent: 'projects/p', secretId: name, secret: { replication: { automatic: {} } } })
    double.do('AddSecretVersion', { parent: `projects/p/secrets/${name}`, payload: { data: Buffer.from(text) } })
  }
  put = (name: string, text: string): Promise<void> => this.#put(name, text)
  putSet = (extra: object = {}): Promise<void> => this.#put('set', JSON.stringify({ keys: [{ ...this.#publicKey(), ...extra }] }))

  #keep(name: FunctionName, seen: Seen): Seen {
    this.outlets.note(`${name}: body`, seen.text)
    this.outlets.note(`${name}: headers`, JSON.stringify([...seen.headers]))
    return seen
  }
  /** As the platform's caller posts to an HTTP function. */
  async post(name: FunctionName, body: unknown): Promise<Seen> {
    return this.#keep(name, await this.on(name).post(body, { authorization: `Bearer ${this.canaries.bearer}` }))
  }
  async get(path: string): Promise<Seen> {
    return this.#keep('jwks', await this.on('jwks').send(path, { headers: { authorization: `Bearer ${this.canaries.bearer}` } }))
  }
  /** A message of the secrets' topic, with canaries wherever a message has room. */
  async event(attributes: Readonly<Record<string, string>>): Promise<Seen> {
    const { event, bearer } = this.canaries
    const message = messageOf({ ...attributes, extra: event }, event, JSON.stringify({ name: 'x', value: event }))
    const headers = { ...eventHeaders('1'), authorization: `Bearer ${bearer}` }
    return this.#keep('rotate', await this.on('rotate').post({ ...message, unknown: event }, headers))
  }

  /** What the doubles were sent since, beside the values themselves: tasks, announcements, and what is not secret by its place. */
  keepWhatWasSent(): void {
    for (const { path, text } of this.tasks.calls) this.outlets.note('tasks', path + text + decoded(text))
    for (const { headers, body } of this.webhook.got) this.outlets.note('webhooks', JSON.stringify(headers) + body)
    for (const message of this.world.double.messages) this.outlets.note('messages of the service', JSON.stringify(message))
    for (const { name, labels, annotations } of this.world.double.secrets.values())
      this.outlets.note('labels and annotations', JSON.stringify([name, ...labels, ...annotations]))
    this.outlets.note('metadata server', this.machine.metadata.calls.join('\n'))
    for (const kept of [this.tasks.calls, this.webhook.got, this.world.double.messages]) kept.length = 0
  }
}

/** The body of a task, which is base64 in its call. */
function decoded(text: string): string {
  const [, body = ''] = /"body":"([^"]*)"/.exec(text) ?? []
  return Buffer.from(body, 'base64').toString('utf8')
}
