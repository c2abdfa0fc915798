import { Keyturn } from '../../test/harness/cli-process.js'
import type { Deployed, FunctionName } from '../../test/harness/gcp-deployed.js'
import { eventsFilter, eventsTopic, GcpFleet } from '../../test/harness/gcp-fleet.js'
import type { PostgresServer } from '../../test/harness/postgres-server.js'
import { adminPassword, firstPassword } from '../../test/harness/postgres-world.js'
import type { Forwarder } from '../../test/harness/pubsub-forwarder.js'
import { key } from '../../test/harness/webhook-server.js'
import { type CloudWorld, dayMs, firstKey, hourMs, loginAt, type Pods, type SecretId } from '../e2e-cloud/world.js'

const functions = ['rotate', 'sweep', 'work', 'invoke', 'jwks'] as const

/** As a person adopts them. */
const policies = {
  db: ['--rotator', 'postgres', 'strategy=alternate', 'pair=app_a app_b', 'admin=gcp:pg-admin', 'consumers=web', 'every=30d', 'grace=1h'],
  'api-key': ['--rotator', 'random', 'form=token', 'spelling=change', 'consumers=web', 'every=30d', 'grace=1h'],
  pods: [
    '--rotator',
    'postgres',
    'strategy=alternate',
    'pair=pods_a pods_b',
    'admin=gcp:pg-admin',
    'consumers=pods',
    'every=30d',
    'grace=1h',
  ],
  signing: ['--rotator', 'jwt', 'algorithm=ES256', 'companions=jwks', 'verifiers=ticker=4h max-age=5m refetch=30s', 'every=1d'],
} as const satisfies Readonly<Record<SecretId, readonly string[]>>
/** How old the first values are: `db` and `api-key` are due in an hour, and `pods` is due now, whatever is added to its period. */
const agesMs: Readonly<Record<string, number>> = { db: 30 * dayMs - hourMs, 'api-key': 30 * dayMs - hourMs, pods: 31 * dayMs }
/** What a world is made of. */
interface Story {
  readonly server: PostgresServer
  readonly webhookPort: number
  readonly pods: Pods
  /** The command line. */
  readonly program: URL
  /** Asked between steps; what it throws ends the opening. */
  readonly assertGoing: () => void
}

/** A project in which every function is a process, and time is what this says. Nobody calls a function but Pub/Sub, Cloud Scheduler and Cloud Tasks. */
export class World implements CloudWorld {
  readonly fleet: GcpFleet
  readonly keyturn: Keyturn
  readonly functions = new Map<FunctionName, Deployed>()
  readonly #forwarder: Forwarder
  /** What the functions answered, headers included. */
  readonly answers: string[] = []
  private constructor(fleet: GcpFleet, keyturn: Keyturn, forwarder: Forwarder) {
    this.fleet = fleet
    this.keyturn = keyturn
    this.#forwarder = forwarder
  }

  /** Adopts the secrets of a project that has them, and starts the functions. */
  static async open(story: Story): Promise<World> {
    const fleet = await GcpFleet.open('postgres,random,jwt')
    const { metadata, tasks } = fleet.project
    metadata.token = tasks.wantsToken = story.pods.accessToken
    const keyturn = await Keyturn.open(story.program)
    keyturn.processes = true
    keyturn.env = { ...fleet.project.env, KEYTURN_CONFIG: 'gcp:config' }
    const world: { opened?: World } = {}
    const to = () => world.opened?.functions.get('rotate')?.url
    const forwarder = await fleet.forwarder('push', to, { filter: eventsFilter })
    const opened = new World(fleet, keyturn, forwarder)
    world.opened = opened
    try {
      await opened.#adopt(story)
      for (const name of functions) {
        story.assertGoing()
        opened.functions.set(name, await fleet.start(name, variables(name)))
      }
    } catch (cause) {
      await opened.close()
      throw cause
    }
    fleet.project.workIsAt(opened.function('work').url)
    return opened
  }
  async close(): Promise<void> {
    await this.keyturn.close()
    await this.fleet.close()
  }

  async #adopt({ server, webhookPort, pods, assertGoing }: Story): Promise<void> {
    const { fleet, keyturn } = this
    const run = (words: readonly string[], stdin = ''): Promise<unknown> => {
      assertGoing()
      return keyturn.ok(words, { stdin })
    }
    const url = `http://127.0.0.1:${webhookPort}/`
    const web = { kind: 'webhook', required: true, url, plaintext: true, allow: ['127.0.0.0/8'], keys: [key] }
    const jwks = { content: 'public-set', of: 'gcp:signing', at: 'gcp:signing-public' }
    const texts = {
      'pg-admin': loginAt(server, 'keyturn_admin', adminPassword),
      config: JSON.stringify({
        clusters: { shop: pods.access },
        consumers: { web, pods: { ...pods.consumer, cluster: 'shop' } },
        companions: { jwks },
      }),
      'signing-public': '{}',
      db: loginAt(server, 'app_a', firstPassword),
      'api-key': firstKey,
      pods: pods.first,
      signing: '{}',
    }
    for (const [id, text] of Object.entries(texts)) {
      await run(['put', `gcp:${id}`], text)
      for (const version of fleet.secret(id).versions) Object.assign(version, { createdAt: Date.now() - (agesMs[id] ?? 0) })
    }
    for (const [id, words] of Object.entries(policies)) {
      fleet.secret(id).topics = [eventsTopic]
      await run(['adopt', `gcp:${id}`, ...words])
    }
    await run(['rotate', 'gcp:signing']) // fills it
    fleet.double.onMessage = fleet.pubsub.take
    fleet.double.calls.length = 0
  }

  now = (): number => Date.now() + this.fleet.project.aheadMs
  aliasesOf = (id: SecretId): readonly string[] => (this.fleet.secret(id).aliases.has('current') ? ['current'] : [])
  publishedAt = (id: SecretId): number | undefined => this.fleet.secret(id).versions[1]?.createdAt
  get setUrl(): string {
    return this.function('jwks').url
  }
  get workLog(): string {
    return this.function('work').log
  }
  function(name: FunctionName): Deployed {
    const found = this.functions.get(name)
    if (found === undefined) throw new Error(`${name} does not run.`)
    return found
  }

  /** So much time passes; then everybody who calls functions does: the service's notices, the scheduler, the queue. */
  async pass(ms: number): Promise<void> {
    const { project, double } = this.fleet
    project.aheadMs += ms
    await Promise.all([...this.functions.values()].map((one) => one.setAhead(project.aheadMs)))
    double.tick()
    await this.#deliver()
    await this.look()
    for (let turn = 0; turn < 5; turn++) if ((await this.turn()) === 0) return
  }
  /** The scheduler calls. */
  async look(): Promise<void> {
    this.answers.push(JSON.stringify(await this.function('sweep').post('')))
  }
  /** The service's notices and what the queue has now are delivered. Resolves to how many tasks that were. */
  async turn(): Promise<number> {
    await this.#deliver()
    return (await this.fleet.project.tasks.dispatch()).length
  }
  async #deliver(): Promise<void> {
    await this.fleet.pubsub.settled()
    await this.#forwarder.drain()
  }

  /** Asks as a person does, by the function `invoke`. */
  async ask(body: object): Promise<Readonly<Record<string, unknown>>> {
    const { status, text } = await this.function('invoke').post(body)
    this.answers.push(text)
    if (status !== 200) throw new Error(`invoke answered ${status}: ${text}`)
    return JSON.parse(text) as Readonly<Record<string, unknown>>
  }

  /** What a reader of the newest version, or of the one that is named, gets. Throws what the service refuses. */
  read(id: string, version = 'latest'): string {
    const { payload } = this.fleet.double.do('AccessSecretVersion', { name: `projects/p/secrets/${id}/versions/${version}` })
    return Buffer.from(payload?.data ?? '').toString()
  }
}

const variables = (name: FunctionName): Readonly<Record<string, string>> =>
  name === 'jwks' ? { KEYTURN_JWKS: 'gcp:signing-public' } : { KEYTURN_CONFIG: 'gcp:config' }
