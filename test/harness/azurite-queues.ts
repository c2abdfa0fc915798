import { QueueServiceClient } from '@azure/storage-queue'
import { AzuriteProcess, azuriteAccount, azuriteKey, startAzurite } from './azurite-process.js'

/** Microsoft's own emulator of storage queues, as `Azurite` is that of blobs. */
export class AzuriteQueues extends AzuriteProcess {
  static start = async (): Promise<AzuriteQueues> => new AzuriteQueues(...(await startAzurite('queue')))

  /** The part of a connection string that names it. */
  get connectionPart(): string {
    return `QueueEndpoint=${this.endpoint}`
  }
  client(): QueueServiceClient {
    const parts = ['DefaultEndpointsProtocol=http', `AccountName=${azuriteAccount}`, `AccountKey=${azuriteKey}`, this.connectionPart]
    return QueueServiceClient.fromConnectionString(parts.join(';'))
  }
  /** No queue is there any more, and its clock is this machine's again. */
  async reset(): Promise<void> {
    const client = this.client()
    const names: string[] = []
    for await (const { name } of client.listQueues()) names.push(name)
    await Promise.all(names.map((name) => client.deleteQueue(name)))
    await this.setClock(Date.now())
  }
}
