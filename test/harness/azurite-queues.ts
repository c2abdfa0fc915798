import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { QueueServiceClient } from '@azure/storage-queue'
import { azuriteAccount, azuriteKey } from './azurite.js'
import { repository } from './repository.js'

const program = join(repository, 'test/servers/node_modules/azurite/dist/src/queue/main.js')
const words = [
  '--inMemoryPersistence',
  '--disableTelemetry',
  '--silent',
  '--skipApiVersionCheck',
  '--queueHost',
  '127.0.0.1',
  '--queuePort',
  '0',
]

/** Microsoft's own emulator of storage queues, on loopback without TLS, as `Azurite` is that of blobs. */
export class AzuriteQueues {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  /** Where its account is: `http://127.0.0.1:…/devstoreaccount1`. */
  readonly endpoint: string
  private constructor(child: ChildProcess, ended: Promise<unknown>, origin: string) {
    this.#child = child
    this.#ended = ended
    this.endpoint = `${origin}/${azuriteAccount}`
  }
  static async start(): Promise<AzuriteQueues> {
    const loaded = ['--require', join(repository, 'test/harness/azurite-clock.cjs'), program]
    const env = { PATH: process.env.PATH ?? '' }
    const child = spawn(process.execPath, [...loaded, ...words], { cwd: tmpdir(), env, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    const ended = once(child, 'exit')
    if (child.stdout === null) throw new Error('Azurite has no output.')
    for await (const line of createInterface(child.stdout)) {
      const [, origin] = /successfully listens on (http:\S+)$/.exec(line) ?? []
      if (origin !== undefined) return new AzuriteQueues(child, ended, origin)
    }
    throw new Error(`The queues of Azurite did not start (${JSON.stringify(await ended)}).`)
  }
  /** The part of a connection string that names it. */
  get connectionPart(): string {
    return `QueueEndpoint=${this.endpoint}`
  }
  client(): QueueServiceClient {
    const parts = ['DefaultEndpointsProtocol=http', `AccountName=${azuriteAccount}`, `AccountKey=${azuriteKey}`, this.connectionPart]
    return QueueServiceClient.fromConnectionString(parts.join(';'))
  }
  /** No queue is there any more. */
  async reset(): Promise<void> {
    const client = this.client()
    const names: string[] = []
    for await (const { name } of client.listQueues()) names.push(name)
    await Promise.all(names.map((name) => client.deleteQueue(name)))
  }
  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}
