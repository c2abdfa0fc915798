import { existsSync } from 'node:fs'
import {
  AccountSASPermissions,
  BlobServiceClient,
  generateAccountSASQueryParameters,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { AzuriteProcess, azuriteAccount, azuriteKey, azuriteProgram, startAzurite } from './azurite-process.js'

export { azuriteAccount, azuriteKey } from './azurite-process.js'

/** Why nothing can be held against Microsoft's emulator of blobs here. */
export const azuriteSkip = existsSync(azuriteProgram('blob')) ? false : 'Azurite is not installed; test/setup.sh does it'

const credential = new StorageSharedKeyCredential(azuriteAccount, azuriteKey)

/** Microsoft's own emulator of blobs, on loopback without TLS; nothing it keeps outlives its process. Started once a test file. */
export class Azurite extends AzuriteProcess {
  static start = async (): Promise<Azurite> => new Azurite(...(await startAzurite('blob')))

  /** What a client is configured with where it takes one string. */
  get connectionString(): string {
    const parts = { DefaultEndpointsProtocol: 'http', AccountName: azuriteAccount, AccountKey: azuriteKey, BlobEndpoint: this.endpoint }
    return Object.entries(parts)
      .map(([name, value]) => `${name}=${value}`)
      .join(';')
  }
  /** The vendor's client with the account's key. It makes each call once, unless `options` say otherwise. */
  client(options: StoragePipelineOptions = {}): BlobServiceClient {
    return new BlobServiceClient(this.endpoint, credential, { retryOptions: { maxTries: 1 }, ...options })
  }
  /** All rights in its account, as the query of a URL: what stands for a token, which it takes only over TLS. */
  readonly signature = generateAccountSASQueryParameters(
    {
      permissions: AccountSASPermissions.parse('rwdlacu'),
      resourceTypes: 'sco',
      services: 'b',
      expiresOn: new Date(Date.UTC(2999, 0, 1)), // whatever its clock is moved to
    },
    credential,
  ).toString()

  /** No container is there any more, and its clock is this machine's again. */
  async reset(): Promise<void> {
    const client = this.client()
    const names: string[] = []
    for await (const { name } of client.listContainers()) names.push(name)
    await Promise.all(names.map((name) => client.deleteContainer(name)))
    await this.setClock(Date.now())
  }
}
