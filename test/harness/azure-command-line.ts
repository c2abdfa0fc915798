import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TokenCredential } from '@azure/identity'
import { optional } from '../../shared/core/optional.js'
import { AzureKeyVaultAdmin } from '../../shared/stores/azure-key-vault/admin.js'
import { stores } from '../../shared/stores/registry.js'
import { ClockedBlobs, openerOf, type Services } from './azure.js'
import { Azurite } from './azurite.js'
import { type Called, Clock, callCommand } from './command-call.js'
import type { Reply } from './gcp-command-line.js'
import { tokenOf } from './key-vault/client.js'
import { KeyVaultDouble } from './key-vault.js'

export type { Reply } from './gcp-command-line.js'

/** Opens the row of the store with clients of these services until the answer is called; what the variables say is read as a person's is. */
export function replaceAzure(services: Services, credential: () => TokenCredential = tokenOf): () => void {
  const { open } = stores.azure
  stores.azure.open = async ({ env, environment }) => AzureKeyVaultAdmin.openFrom(environment, env, openerOf(services, credential()))
  return () => {
    stores.azure.open = open
  }
}

/** The command line in this process, over a double of Key Vault and Microsoft's emulator of blobs; everything else is as a person has it. */
export class AzureCommandLine implements Services {
  readonly double: KeyVaultDouble
  readonly azurite: Azurite
  readonly blobs: ClockedBlobs
  readonly clock: Clock
  env: Readonly<Record<string, string>>
  credential: () => TokenCredential = tokenOf
  /** Where Keyturn would be installed; undefined: where it is. */
  installation: string | undefined
  readonly #home: string
  readonly #restore: () => void

  static async open(): Promise<AzureCommandLine> {
    return new AzureCommandLine(await Azurite.start(), await mkdtemp(join(tmpdir(), 'keyturn-azure-')))
  }

  private constructor(azurite: Azurite, home: string) {
    const clock = new Clock()
    this.clock = clock
    this.azurite = azurite
    this.double = KeyVaultDouble.inProcess(clock.now)
    this.blobs = clockedBlobs(azurite, clock)
    this.#home = home
    this.env = { KEYTURN_HOME: home, KEYTURN_AZURE_VAULTS: 'app', KEYTURN_AZURE_STORAGE: 'shopjournals', KEYTURN_DEBUG: '1' }
    this.#restore = replaceAzure(this, () => this.credential())
  }

  /** One command as a person types it, a moment after what was done before. */
  async run(words: readonly string[], stdin: string | Buffer = '', env = this.env): Promise<Called> {
    this.clock.setAhead(5)
    return callCommand(words, { env, clock: this.clock, ...optional('installation', this.installation) }, stdin)
  }

  async json(words: readonly string[], stdin: string | Buffer = '', env = this.env): Promise<Reply> {
    const called = await this.run(['--json', ...words], stdin, env)
    const { error, ...body } = JSON.parse(called.stdout) as Omit<Reply, keyof Called | 'body'> & Readonly<Record<string, unknown>>
    return { ...called, body, ...optional('error', error) }
  }

  /** Everything that both services keep. */
  async state(): Promise<string> {
    const vaults = [...this.double.vaults.values()].map(({ name, secrets }) => [name, [...secrets]])
    return JSON.stringify([vaults, await this.documents()])
  }
  /** The blobs of all containers, by their names. */
  async documents(): Promise<Readonly<Record<string, string>>> {
    const found: Record<string, string> = {}
    const account = this.azurite.client()
    for await (const { name: container } of account.listContainers()) {
      const client = account.getContainerClient(container)
      for await (const { name } of client.listBlobsFlat())
        found[`${container}/${name}`] = (await client.getBlobClient(name).downloadToBuffer()).toString()
    }
    return found
  }
  /** Nothing is there any more. */
  async reset(): Promise<void> {
    this.double.reset()
    this.credential = tokenOf
    await this.azurite.reset()
  }

  async close(): Promise<void> {
    this.#restore()
    this.blobs.close()
    await this.azurite.stop()
    await rm(this.#home, { recursive: true })
  }
}

/** Blobs whose leases end by the clock of a command line. */
export const clockedBlobs = (azurite: Azurite, clock: Pick<Clock, 'now'>): ClockedBlobs =>
  new ClockedBlobs(azurite, {
    get time() {
      return clock.now()
    },
  })
