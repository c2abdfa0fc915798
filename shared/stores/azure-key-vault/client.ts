import { DefaultAzureCredential, type TokenCredential } from '@azure/identity'
import { SecretClient, type SecretClientOptions } from '@azure/keyvault-secrets'
import { BlobServiceClient, type ContainerClient, type StoragePipelineOptions } from '@azure/storage-blob'
import { noStorageError, type Storage } from './environment.js'

/** How long one call may take, in milliseconds. The guard repeats, counts and records: the clients make each call once. */
export const callMsMax = 10_000

/** Makes the vendor's clients. */
export interface Opener {
  secrets(host: string): SecretClient
  /** The container of the journals. */
  container(storage: Storage, name: string): ContainerClient
}

/** What a client of vaults is made with. */
export const secretOptions: SecretClientOptions = { retryOptions: { maxRetries: 0 } }
/** What a client of blobs is made with. By itself it would repeat a write whose answer was lost, and be refused by its own success. */
export const blobOptions: StoragePipelineOptions = { retryOptions: { maxTries: 1 } }

/** The vendor's clients with the vendor's own credentials. */
export function openWith(credential: () => TokenCredential = () => new DefaultAzureCredential()): Opener {
  let made: TokenCredential | undefined
  const own = (): TokenCredential => {
    made ??= credential()
    return made
  }
  return {
    secrets: (host) => new SecretClient(`https://${host}`, own(), secretOptions),
    container: (storage, name) => serviceOf(storage, own).getContainerClient(name),
  }
}

const serviceOf = (storage: Storage, credential: () => TokenCredential): BlobServiceClient =>
  'url' in storage
    ? new BlobServiceClient(storage.url, credential(), blobOptions)
    : BlobServiceClient.fromConnectionString(storage.connectionString, blobOptions)

/** The clients of a process: one for each vault, and one for the journals. */
export class Clients {
  readonly #open: Opener
  readonly #secrets = new Map<string, SecretClient>()
  readonly #storage: Storage | undefined
  readonly #containerName: string
  #container: ContainerClient | undefined
  constructor(open: Opener, storage: Storage | undefined, container: string) {
    this.#open = open
    this.#storage = storage
    this.#containerName = container
  }

  /** Whether journals can be kept at all. */
  get hasStorage(): boolean {
    return this.#storage !== undefined
  }
  secretsOf(host: string): SecretClient {
    const client = this.#secrets.get(host) ?? this.#open.secrets(host)
    this.#secrets.set(host, client)
    return client
  }
  /** bad_config without a storage account. */
  containerFor(shown: string): ContainerClient {
    if (this.#storage === undefined) throw noStorageError(shown)
    this.#container ??= this.#open.container(this.#storage, this.#containerName)
    return this.#container
  }
}
