import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { optional } from '../../core/optional.js'
import { credentialsFileError } from './credentials.js'
import { endpointOf } from './names.js'

export type Client = SecretManagerServiceClient
/** Makes the client of a location; undefined for global secrets. */
export type OpenClient = (location: string | undefined) => Client

/** One attempt a call, and ten seconds for it: the guard repeats, counts and records. */
export const callOptions = { timeout: 10_000, retry: null } as const

/** What the client is made with: regional secrets have an endpoint for each location, and the client finds that of global ones by itself. */
export function clientOptions(location: string | undefined): { readonly apiEndpoint?: string } {
  return optional('apiEndpoint', endpointOf({ project: '', secret: '', ...optional('location', location) }))
}

/** The vendor's client with the vendor's own credentials. */
export const openClient: OpenClient = (location) => new SecretManagerServiceClient(clientOptions(location))

/** The clients of a process: one for each location that is asked for. */
export class Clients {
  readonly #open: OpenClient
  readonly #opened = new Map<string | undefined, Client>()
  constructor(open: OpenClient) {
    this.#open = open
  }

  /**
   * A client that has found its credentials: a method of one that has not leaves a rejection behind that nobody handles, which ends the process. One that
   * failed is made again at the next call. bad_config for a file of credentials that cannot be used.
   */
  async of(location: string | undefined): Promise<Client> {
    const client = this.#opened.get(location) ?? this.#open(location)
    this.#opened.set(location, client)
    try {
      await client.initialize()
    } catch (cause) {
      this.#opened.delete(location)
      throw (await credentialsFileError(cause)) ?? cause
    }
    return client
  }

  async close(): Promise<void> {
    for (const client of this.#opened.values()) await client.close()
    this.#opened.clear()
  }
}
