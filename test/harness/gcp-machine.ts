import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MetadataServer } from './gcp-metadata.js'

/** What tells Google's libraries where credentials are. */
const names = [
  'HOME',
  'CLOUDSDK_CONFIG',
  'GOOGLE_APPLICATION_CREDENTIALS',
  'GOOGLE_CLOUD_PROJECT',
  'GCLOUD_PROJECT',
  'GCE_METADATA_HOST',
  'GCE_METADATA_IP',
  'METADATA_SERVER_DETECTION',
] as const

/** This process on one of Google's machines, until it is closed: default credentials come from a metadata server on loopback, and from nowhere else. */
export class GoogleMachine {
  readonly metadata: MetadataServer
  readonly #kept = new Map(names.map((name) => [name, process.env[name]]))
  readonly #folder = mkdtempSync(join(tmpdir(), 'keyturn-gcp-'))
  private constructor(metadata: MetadataServer) {
    this.metadata = metadata
    for (const name of names) delete process.env[name]
    Object.assign(process.env, { HOME: this.#folder, CLOUDSDK_CONFIG: this.#folder })
    this.useMetadataAt(metadata.host)
  }
  static open = async (): Promise<GoogleMachine> => new GoogleMachine(await MetadataServer.open())

  /** Where the metadata server is, as host:port; undefined: there is none. */
  useMetadataAt(host: string | undefined): void {
    if (host === undefined) delete process.env.GCE_METADATA_HOST
    else process.env.GCE_METADATA_HOST = host
    process.env.METADATA_SERVER_DETECTION = host === undefined ? 'none' : 'assume-present'
  }
  async close(): Promise<void> {
    for (const [name, value] of this.#kept) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    rmSync(this.#folder, { recursive: true })
    await this.metadata.close()
  }
}
