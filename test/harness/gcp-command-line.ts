import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { optional } from '../../shared/core/optional.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { stores } from '../../shared/stores/registry.js'
import { type Called, Clock, callCommand } from './command-call.js'
import { GcpSecretManagerDouble } from './gcp-secret-manager.js'

/** What a command with --json said. */
export interface Reply extends Called {
  readonly body: Readonly<Record<string, unknown>>
  readonly error?: { readonly code: string; readonly message: string; readonly next: string; readonly field?: string }
}

/**
 * The command line in this process, over a double. No variable names an endpoint for the vendor's client, so the row of the store is opened with another
 * client until `close`; everything else is as a person has it.
 */
export class GcpCommandLine {
  readonly double: GcpSecretManagerDouble
  readonly clock: Clock
  env: Readonly<Record<string, string>>
  /** Where the program is said to be installed. */
  installation: string | undefined
  readonly #home: string
  readonly #open: typeof stores.gcp.open

  static async open(): Promise<GcpCommandLine> {
    const clock = new Clock()
    const double = await GcpSecretManagerDouble.open(clock.now)
    return new GcpCommandLine(double, clock, await mkdtemp(join(tmpdir(), 'keyturn-gcp-')))
  }

  private constructor(double: GcpSecretManagerDouble, clock: Clock, home: string) {
    this.double = double
    this.clock = clock
    this.#home = home
    this.env = { KEYTURN_HOME: home, GOOGLE_CLOUD_PROJECT: 'p', KEYTURN_DEBUG: '1' }
    this.#open = stores.gcp.open
    stores.gcp.open = async ({ env, environment }) =>
      new GcpSecretManagerAdmin({
        env,
        ...optional('project', environment.GOOGLE_CLOUD_PROJECT),
        open: () => new SecretManagerServiceClient(double.clientOptions),
      })
  }

  /** One command as a person types it, a moment after what was done before: a version of the same millisecond would count as one that came after the request. */
  async run(words: readonly string[], stdin: string | Buffer = ''): Promise<Called> {
    this.clock.setAhead(5)
    return callCommand(words, { env: this.env, clock: this.clock, ...optional('installation', this.installation) }, stdin)
  }

  async json(words: readonly string[], stdin: string | Buffer = ''): Promise<Reply> {
    const called = await this.run(['--json', ...words], stdin)
    const { error, ...body } = JSON.parse(called.stdout) as Omit<Reply, keyof Called | 'body'> & Readonly<Record<string, unknown>>
    return { ...called, body, ...optional('error', error) }
  }

  /** Everything that the service keeps, but for what a look changes in nothing. */
  state = (): string => JSON.stringify([...this.double.secrets], (_, value: unknown) => (value instanceof Map ? [...value] : value))

  async close(): Promise<void> {
    stores.gcp.open = this.#open
    await this.double.close()
    await rm(this.#home, { recursive: true })
  }
}
