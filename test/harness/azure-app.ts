import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SecretClient } from '@azure/keyvault-secrets'
import { systemEnv } from '../../shared/core/env.js'
import type { Env } from '../../shared/core/ports/env.js'
import { AzureKeyVaultAdmin } from '../../shared/stores/azure-key-vault/admin.js'
import { openWith, secretOptions } from '../../shared/stores/azure-key-vault/client.js'
import { checkout, run, unpacked } from './aws-package.js'
import { vaultHost } from './azure.js'
import { FunctionHost } from './azure-host.js'
import { AzureIdentity } from './azure-identity.js'
import { Azurite } from './azurite.js'
import { AzuriteQueues } from './azurite-queues.js'
import { ConnectProxy } from './connect-proxy.js'
import { tokenOf } from './key-vault/client.js'
import { KeyVaultDouble } from './key-vault.js'

const person = 'the-token-of-a-person'
type Variables = Readonly<Record<string, string>>

/** The archive of the functions of Azure, made once from a copy of the sources, and unpacked as the platform unpacks it. */
export class AzurePackage {
  /** The copy of the sources. */
  readonly folder: string
  readonly #rotators: string
  /** Where the archive is unpacked. */
  task = ''
  private constructor(folder: string, rotators: string) {
    this.folder = folder
    this.#rotators = rotators
  }
  /** `rotators` as in KEYTURN_ROTATORS. */
  static async make(rotators = 'random,postgres'): Promise<AzurePackage> {
    const made = new AzurePackage(await checkout(), rotators)
    made.build()
    made.task = await unpacked(made.archive)
    return made
  }
  /** Makes the archive again, in the same place. What was unpacked stays. */
  build(): void {
    run(this.folder, process.execPath, ['scripts/functions.mjs', 'azure', '--zip'], { KEYTURN_ROTATORS: this.#rotators })
  }
  get archive(): string {
    return join(this.folder, 'dist/functions/azure/app.zip')
  }
  async close(): Promise<void> {
    for (const folder of [this.task, this.folder]) await rm(folder, { recursive: true, force: true })
  }
}

/**
 * What a function app finds around it, on loopback: a vault over TLS under its own name, a managed identity, blobs and queues on Azurite, and `env`, by
 * which its worker finds them.
 */
export class AzureProject {
  readonly vault: KeyVaultDouble
  readonly identity: AzureIdentity
  readonly blobs: Azurite
  readonly queues: AzuriteQueues
  readonly env: Variables
  readonly #proxy: ConnectProxy
  readonly #folder: string
  private constructor(
    { vault, identity, blobs, queues }: Pick<AzureProject, 'vault' | 'identity' | 'blobs' | 'queues'>,
    proxy: ConnectProxy,
    folder: string,
    ca: string,
  ) {
    this.vault = vault
    this.identity = identity
    this.blobs = blobs
    this.queues = queues
    this.#proxy = proxy
    this.#folder = folder
    this.env = {
      ...identity.env,
      HTTPS_PROXY: proxy.url,
      NO_PROXY: '127.0.0.1', // the client takes that proxy for http, too
      NODE_EXTRA_CA_CERTS: ca,
      KEYTURN_AZURE_VAULTS: 'app',
      AzureWebJobsStorage: `${blobs.connectionString};${queues.connectionPart}`,
      AzureFunctionsJobHost__extensions__queues__visibilityTimeout: '00:00:01',
    }
  }
  static async open(now: () => number = Date.now): Promise<AzureProject> {
    const [vault, identity, blobs, queues] = await Promise.all([
      KeyVaultDouble.open(now),
      AzureIdentity.open({ now }),
      Azurite.start(),
      AzuriteQueues.start(),
    ])
    const folder = await mkdtemp(join(tmpdir(), 'keyturn-azure-'))
    const ca = join(folder, 'ca.pem')
    await writeFile(ca, vault.ca)
    return new AzureProject({ vault, identity, blobs, queues }, await ConnectProxy.open(vault.port), folder, ca)
  }

  /** As it was when it was opened, with a container and queues. */
  async reset(): Promise<void> {
    this.vault.reset()
    this.identity.reset()
    this.vault.wantsToken = (token) => token === person || this.identity.judge(token)
    await Promise.all([this.blobs.reset(), this.queues.reset()])
    await this.blobs.client().createContainer('keyturn')
    for (const name of ['keyturn-work', 'keyturn-work-poison']) await this.queues.client().createQueue(name)
  }
  /** The store as a person has it, with the rights of one, in this process. */
  admin(env: Env = systemEnv()): AzureKeyVaultAdmin {
    const storage = { connectionString: this.blobs.connectionString }
    const { container } = openWith()
    const secrets = (host: string) =>
      new SecretClient(`https://${host}`, tokenOf(person), { ...secretOptions, ...this.vault.inProcessOptions })
    return new AzureKeyVaultAdmin({ env, vaults: [vaultHost], storage, open: { secrets, container } })
  }
  /** Starts an app with what was unpacked there. */
  start = ({ task }: Pick<AzurePackage, 'task'>, env: Variables = {}): Promise<FunctionHost> =>
    FunctionHost.start(task, { ...this.env, ...env }, this.queues.client())
  /** How many messages of a queue wait, visible or not. */
  async waiting(name = 'keyturn-work'): Promise<number> {
    const { approximateMessagesCount = 0 } = await this.queues.client().getQueueClient(name).getProperties()
    return approximateMessagesCount
  }
  async close(): Promise<void> {
    await this.#proxy.close()
    await Promise.all([this.vault.close(), this.identity.close(), this.blobs.stop(), this.queues.stop()])
    await rm(this.#folder, { recursive: true })
  }
}
