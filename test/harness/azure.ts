import type { TokenCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import type { SecretRef, VersionId } from '../../shared/core/ports/words.js'
import type { SecretText } from '../../shared/core/secret-text.js'
import { AzureKeyVaultAdmin } from '../../shared/stores/azure-key-vault/admin.js'
import { blobOptions, type Opener, secretOptions } from '../../shared/stores/azure-key-vault/client.js'
import type { AzureOptions } from '../../shared/stores/azure-key-vault.js'
import { Azurite, azuriteAccount, azuriteKey } from './azurite.js'
import { BlobFaults } from './blob-faults.js'
import { FakeEnv } from './fake-env.js'
import { tokenOf } from './key-vault/client.js'
import { KeyVaultDouble } from './key-vault.js'
import type { StoreHarness } from './stores.js'

/** The vault of the double that tests mean if they say nothing else. */
export const vaultHost = 'app.vault.azure.net'

/** The emulator's clock, which ends its leases, follows that of a test. */
export class ClockedBlobs extends BlobFaults {
  readonly #azurite: Azurite
  readonly #env: Pick<FakeEnv, 'time'>
  #setTo: number | undefined
  constructor(azurite: Azurite, env: Pick<FakeEnv, 'time'>) {
    super(azurite)
    this.#azurite = azurite
    this.#env = env
  }
  override async sendRequest(request: Parameters<BlobFaults['sendRequest']>[0]): ReturnType<BlobFaults['sendRequest']> {
    const { time } = this.#env
    if (this.#setTo !== time) await this.#azurite.setClock(time)
    this.#setTo = time
    return super.sendRequest(request)
  }
}

/** What clients talk to. */
export interface Services {
  readonly double: KeyVaultDouble
  readonly blobs: BlobFaults
  readonly azurite: Azurite
}

/** The vendor's clients, unmodified: of vaults without sockets, and of blobs on Azurite. */
export const openerOf = ({ double, blobs, azurite }: Services, credential: TokenCredential = tokenOf()): Opener => ({
  secrets: (host) => new SecretClient(`https://${host}`, credential, { ...secretOptions, ...double.inProcessOptions }),
  container: (_storage, name) => {
    const key = new StorageSharedKeyCredential(azuriteAccount, azuriteKey)
    return new BlobServiceClient(azurite.endpoint, key, { ...blobOptions, ...blobs.options }).getContainerClient(name)
  },
})

/** The store over the double and Azurite. */
export const openAzure = (services: Services, env: FakeEnv, more: Partial<AzureOptions> = {}): AzureKeyVaultAdmin =>
  new AzureKeyVaultAdmin({ env, vaults: [vaultHost], storage: { url: services.azurite.endpoint }, open: openerOf(services), ...more })

/** Somebody adds a version past us. */
export function writeForeign(
  double: KeyVaultDouble,
  { name }: SecretRef,
  value: SecretText,
  tags?: Readonly<Record<string, string>>,
): VersionId {
  return double.writeForeign(name, value.reveal(), tags === undefined ? {} : { tags }) as VersionId
}

/** One emulator of blobs for all tests of a file: each has a container of its own. */
export class AzureServices {
  #azurite: Promise<Azurite> | undefined
  #containers = 0
  /** Services of their own but for that; the clocks of all go together. */
  async open(env = new FakeEnv()): Promise<Services & { readonly env: FakeEnv; readonly container: string }> {
    this.#azurite ??= Azurite.start()
    const azurite = await this.#azurite
    const double = KeyVaultDouble.inProcess(() => env.time)
    return { double, blobs: new ClockedBlobs(azurite, env), azurite, env, container: `keyturn-${++this.#containers}` }
  }
  async stop(): Promise<void> {
    await (await this.#azurite)?.stop()
    this.#azurite = undefined
  }
}

/** Services and a store over them, for the contract. */
export async function azureHarness(shared: AzureServices): Promise<StoreHarness & Services> {
  const services = await shared.open()
  const { env, container, double, blobs } = services
  const another = (): AzureKeyVaultAdmin => openAzure(services, env, { container })
  return {
    ...services,
    store: another(),
    another,
    prefix: 'azure:app/',
    writeForeign: (ref, value) => writeForeign(double, ref, value),
    close: async () => blobs.close(),
  }
}
