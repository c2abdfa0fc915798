import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AzurePackage } from '../../test/harness/azure-app.js'
import { AzureFleet } from '../../test/harness/azure-fleet.js'
import { type FunctionHost, hostKey } from '../../test/harness/azure-host.js'
import { Keyturn } from '../../test/harness/cli-process.js'
import type { PostgresServer } from '../../test/harness/postgres-server.js'
import { adminPassword, firstPassword } from '../../test/harness/postgres-world.js'
import { key } from '../../test/harness/webhook-server.js'
import { type CloudWorld, dayMs, firstKey, hourMs, loginAt, type Pods, type SecretId } from '../e2e-cloud/world.js'

/** The application of AKS for which a token of its clusters is. */
const clusters = '6dae42f8-4368-4678-94ff-3960e28e3630'

/** As a person adopts them. `contested` is that which somebody else writes to at the wrong moment. */
const policies = {
  db: ['--rotator', 'postgres', 'strategy=alternate', 'pair=app_a app_b', 'admin=azure:pg-admin', 'consumers=web', 'every=30d', 'grace=1h'],
  'api-key': ['--rotator', 'random', 'form=token', 'spelling=change', 'consumers=web', 'every=30d', 'grace=1h'],
  pods: [
    '--rotator',
    'postgres',
    'strategy=alternate',
    'pair=pods_a pods_b',
    'admin=azure:pg-admin',
    'consumers=pods',
    'every=30d',
    'grace=1h',
  ],
  signing: ['--rotator', 'jwt', 'algorithm=ES256', 'companions=jwks', 'verifiers=ticker=4h max-age=5m refetch=30s', 'every=1d'],
  contested: ['--rotator', 'random', 'form=token', 'spelling=change'],
} as const
/** How old the first values are: `db` and `api-key` are due in an hour, and `pods` is due now, whatever is added to its period. */
const agesMs: Readonly<Record<string, number>> = { db: 30 * dayMs - hourMs, 'api-key': 30 * dayMs - hourMs, pods: 31 * dayMs }

interface Story {
  readonly server: PostgresServer
  readonly webhookPort: number
  readonly pods: Pods
  /** The command line. */
  readonly program: URL
  /** Asked between steps; what it throws ends the opening. */
  readonly assertGoing: () => void
}

/** A subscription with two function apps and a vault, whose time is what this says. Nobody calls a function but Event Grid, the timer and the queue. */
export class World implements CloudWorld {
  readonly fleet: AzureFleet
  readonly keyturn: Keyturn
  readonly #made: AzurePackage
  readonly #jwks: FunctionHost
  /** What the functions answered. */
  readonly answers: string[] = []
  private constructor(made: AzurePackage, fleet: AzureFleet, jwks: FunctionHost, keyturn: Keyturn) {
    this.#made = made
    this.fleet = fleet
    this.#jwks = jwks
    this.keyturn = keyturn
  }

  /** Starts the apps, and adopts the secrets of a vault that has them. */
  static async open(story: Story): Promise<World> {
    const made = await AzurePackage.make('postgres,random,jwt')
    const fleet = await AzureFleet.open(made, { KEYTURN_CONFIG: 'azure:config' })
    const { project } = fleet
    project.identity.token = ({ resource }) => (resource.includes(clusters) ? story.pods.accessToken : undefined)
    const jwks = await project.start(made, { KEYTURN_JWKS: 'azure:signing-public' })
    const keyturn = await Keyturn.open(story.program)
    keyturn.processes = true
    const ca = join(keyturn.folder, 'ca.pem')
    await writeFile(ca, project.vault.ca)
    const { AzureWebJobsStorage: storage = '', ...env } = project.env
    keyturn.env = { ...env, HOME: keyturn.folder, NODE_EXTRA_CA_CERTS: ca, KEYTURN_AZURE_STORAGE: storage, KEYTURN_CONFIG: 'azure:config' }
    const world = new World(made, fleet, jwks, keyturn)
    try {
      await world.#adopt(story)
    } catch (cause) {
      await world.close()
      throw cause
    }
    return world
  }
  async close(): Promise<void> {
    await this.keyturn.close()
    await this.#jwks.stop()
    await this.fleet.close()
    await this.#made.close()
  }

  async #adopt({ server, webhookPort, pods, assertGoing }: Story): Promise<void> {
    const { vault } = this.fleet.project
    const run = (words: readonly string[], stdin = ''): Promise<unknown> => {
      assertGoing()
      return this.keyturn.ok(words, { stdin })
    }
    const url = `http://127.0.0.1:${webhookPort}/`
    const web = { kind: 'webhook', required: true, url, plaintext: true, allow: ['127.0.0.0/8'], keys: [key] }
    const jwks = { content: 'public-set', of: 'azure:signing', at: 'azure:signing-public' }
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
      contested: `${firstKey}-of-another`,
    }
    for (const [id, text] of Object.entries(texts)) {
      await run(['put', `azure:${id}`], text)
      const created = Math.floor((Date.now() - (agesMs[id] ?? 0)) / 1000)
      for (const version of vault.versions(id)) Object.assign(version, { created })
    }
    for (const [id, words] of Object.entries(policies)) await run(['adopt', `azure:${id}`, ...words])
    await run(['rotate', 'azure:signing']) // fills it
    await this.fleet.deliver()
    await this.fleet.settled()
    vault.calls.length = 0
  }

  now = (): number => this.fleet.now()
  aliasesOf = (): readonly string[] => []
  publishedAt(id: SecretId): number | undefined {
    const created = this.fleet.project.vault.versions(id)[1]?.created
    return created === undefined ? undefined : created * 1000
  }
  get setUrl(): string {
    return this.#jwks.url
  }
  get workLog(): string {
    return this.fleet.host.log
  }
  /** What every process of a function has written. */
  get logs(): Readonly<Record<string, string>> {
    return { 'the log of the functions': this.fleet.host.log, 'the log of jwks': this.#jwks.log }
  }

  /** So much time passes; then everybody who calls functions does: the vault's events, the timer, the queue. */
  async pass(ms: number): Promise<void> {
    await this.fleet.move(ms)
    this.#jwks.setAhead(this.now() - Date.now())
    await this.fleet.deliver(2) // at least once
    await this.fleet.settled()
    await this.look()
    await this.turn()
  }
  async look(): Promise<void> {
    await this.fleet.host.timer('sweep')
  }
  async turn(): Promise<void> {
    await this.fleet.deliver()
    await this.fleet.settled()
  }

  /** Asks as a person does, by the function `invoke`. */
  async ask(body: object): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }> {
    const answer = await fetch(`${this.fleet.host.url}/invoke`, {
      method: 'POST',
      headers: { 'x-functions-key': hostKey },
      body: JSON.stringify(body),
    })
    const text = await answer.text()
    this.answers.push(text)
    return { status: answer.status, body: JSON.parse(text) as Readonly<Record<string, unknown>> }
  }

  /** What a reader of the newest version, or of the one that is named, gets. Throws what the service refuses. */
  read(id: string, version?: string): string {
    const versions = this.fleet.project.vault.versions(id)
    const found = version === undefined ? versions.at(-1) : versions.find((one) => one.id === version)
    if (found?.enabled !== true) throw new Error('SecretDisabled')
    return found.value
  }
}
