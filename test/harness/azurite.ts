import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import {
  AccountSASPermissions,
  BlobServiceClient,
  generateAccountSASQueryParameters,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { repository } from './repository.js'

const program = join(repository, 'test/servers/node_modules/azurite/dist/src/blob/main.js')

/** Why nothing can be held against Microsoft's emulator of blobs here. */
export const azuriteSkip = existsSync(program) ? false : 'Azurite is not installed; test/setup.sh does it'

/** The account of every emulator of Azure Storage. Both are published, and the same everywhere. */
export const azuriteAccount = 'devstoreaccount1'
export const azuriteKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
const credential = new StorageSharedKeyCredential(azuriteAccount, azuriteKey)

const words = [
  '--inMemoryPersistence', // no file, wherever it is started
  '--disableTelemetry', // else it calls home
  '--silent',
  '--skipApiVersionCheck', // the client is newer than what this version of it knows
  '--blobHost',
  '127.0.0.1',
  '--blobPort',
  '0', // a port that was chosen before may be somebody else's by then
]

/** Microsoft's own emulator of blobs, on loopback without TLS; nothing it keeps outlives its process. Started once a test file. */
export class Azurite {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  /** Where its account is: `http://127.0.0.1:…/devstoreaccount1`. */
  readonly endpoint: string
  #aheadMs = 0
  #moved: Promise<void> = Promise.resolve()

  private constructor(child: ChildProcess, ended: Promise<unknown>, origin: string) {
    this.#child = child
    this.#ended = ended
    this.endpoint = `${origin}/${azuriteAccount}`
  }

  static async start(): Promise<Azurite> {
    const loaded = ['--require', join(repository, 'test/harness/azurite-clock.cjs'), program]
    // Variables of its own would give it other accounts, or another place to keep blobs.
    const env = { PATH: process.env.PATH ?? '' }
    const child = spawn(process.execPath, [...loaded, ...words], { cwd: tmpdir(), env, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    const ended = once(child, 'exit')
    if (child.stdout === null) throw new Error('Azurite has no output.')
    for await (const line of createInterface(child.stdout)) {
      const [, origin] = /successfully listens on (http:\S+)$/.exec(line) ?? []
      if (origin !== undefined) return new Azurite(child, ended, origin)
    }
    throw new Error(`Azurite did not start (${JSON.stringify(await ended)}).`)
  }

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

  /** What its clock shows. */
  get now(): number {
    return Date.now() + this.#aheadMs
  }
  /**
   * Moves its clock by so much, from where it is; resolves when it is in force. What it answers is dated, and what it leases is over, by that clock.
   */
  moveClock = (ms: number): Promise<void> => this.#setAhead(this.#aheadMs + ms)
  /** Its clock goes on from this time. */
  setClock = (epochMs: number): Promise<void> => this.#setAhead(epochMs - Date.now())
  /** It sends back each message that it has obeyed, in the order in which they came. */
  #setAhead(aheadMs: number): Promise<void> {
    this.#aheadMs = aheadMs
    const move = async (): Promise<void> => {
      const obeyed = once(this.#child, 'message')
      this.#child.send({ aheadMs })
      if ((await Promise.race([obeyed, this.#ended.then(() => undefined)])) === undefined) throw new Error('Azurite has ended.')
    }
    this.#moved = this.#moved.then(move)
    return this.#moved
  }

  /** No container is there any more, and its clock is this machine's again. */
  async reset(): Promise<void> {
    const client = this.client()
    const names: string[] = []
    for await (const { name } of client.listContainers()) names.push(name)
    await Promise.all(names.map((name) => client.deleteContainer(name)))
    await this.setClock(Date.now())
  }

  /** At once, also while it still answers somebody: it has nothing to keep. */
  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}
