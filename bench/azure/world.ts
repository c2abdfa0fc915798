import { SecretClient } from '@azure/keyvault-secrets'
import type { ContainerClient } from '@azure/storage-blob'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { AzureKeyVaultAdmin } from '../../shared/stores/azure-key-vault/admin.js'
import { secretOptions } from '../../shared/stores/azure-key-vault/client.js'
import { openerOf, type Services, vaultHost } from '../../test/harness/azure.js'
import { Azurite } from '../../test/harness/azurite.js'
import { BlobFaults, type BlobOperation } from '../../test/harness/blob-faults.js'
import { tokenOf } from '../../test/harness/key-vault/client.js'
import { KeyVaultDouble } from '../../test/harness/key-vault.js'
import { type CallsMade, SkewedClock, StoreBench } from '../store/world.js'
import { bareCalls } from './bare.js'

const container = 'bench'

/** The double of Key Vault over TLS, Azurite, the store over them by the vendor's clients, and rotations of its secrets. */
export class AzureBench extends StoreBench {
  readonly prefix = 'azure:'
  readonly services: Services
  readonly vault: SecretClient
  readonly journals: ContainerClient
  protected readonly store: AzureKeyVaultAdmin

  static async open(): Promise<AzureBench> {
    const clock = new SkewedClock()
    const [double, azurite] = await Promise.all([KeyVaultDouble.open(clock.now), Azurite.start()])
    return new AzureBench({ double, azurite, blobs: new BlobFaults(azurite) }, clock)
  }

  private constructor(services: Services, clock: SkewedClock) {
    super(clock)
    this.services = services
    const { double, azurite } = services
    const secrets = (host: string) => new SecretClient(`https://${host}`, tokenOf(), { ...secretOptions, ...double.clientOptions })
    this.vault = secrets(vaultHost)
    const open = { ...openerOf(services), secrets }
    this.journals = open.container({ url: azurite.endpoint }, container)
    this.store = new AzureKeyVaultAdmin({ env: this.env, vaults: [vaultHost], storage: { url: azurite.endpoint }, container, open })
  }

  async count({ name }: SecretRef, act: () => Promise<void>): Promise<CallsMade> {
    const { double, blobs } = this.services
    double.calls.length = 0
    blobs.reset()
    await act()
    const mine = double.calls.filter(({ secret }) => secret === name || secret === `${name}-pending`)
    const byName: Record<string, number> = {}
    for (const key of [...double.calls.map((call) => call.name), ...blobs.calls.map(({ operation }) => `blob ${operation}`)])
      byName[key] = (byName[key] ?? 0) + 1
    return {
      calls: mine.length + blobs.calls.length,
      writes: mine.filter(({ writes }) => writes).length + blobs.count(...blobWrites),
      consumerWrites: mine.filter(({ writes, staging }) => writes && !staging).length,
      adminCalls: double.calls.length - mine.length,
      byName,
    }
  }

  bare = (name: string, act: () => Promise<void>): Promise<() => Promise<void>> => bareCalls(this, name, act)

  async close(): Promise<void> {
    const { double, blobs, azurite } = this.services
    blobs.close()
    await double.close()
    await azurite.stop()
  }
}

/** A lease is no write: it changes nothing that is read. */
const blobWrites: readonly BlobOperation[] = ['create', 'write', 'delete']
