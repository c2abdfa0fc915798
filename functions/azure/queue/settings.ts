import { DefaultAzureCredential } from '@azure/identity'
import { QueueServiceClient, type StoragePipelineOptions } from '@azure/storage-queue'
import type { Environment } from '../../../shared/app/platform.js'
import { RotationError } from '../../../shared/core/errors.js'

/** The prefix of the settings that say where the queue is, as the host knows it: the trigger of `work` names the same. */
export const connection = 'AzureWebJobsStorage'
/** The setting that names the queue. */
export const queueField = 'KEYTURN_QUEUE'
const nameDefault = 'keyturn-work'
/** The caller repeats and records: the client makes each call once. By itself it would send twice what was taken and whose answer was lost. */
const options: StoragePipelineOptions = { retryOptions: { maxTries: 1 } }

/** The queue of work. bad_config for a name that the service does not take. */
export function queueName({ [queueField]: name }: Environment): string {
  if (!name) return nameDefault
  if (/^(?=.{3,55}$)[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name)) return name
  throw new RotationError('bad_config', `${queueField} is not the name of a queue.`, {
    field: queueField,
    next: 'Use a-z 0-9 and single -, from 3 to 55 characters: the queue of poisoned messages has its name with -poison.',
  })
}

/** Where the host puts what failed too often. The name is the host's own. */
export const poisonName = (queue: string): string => `${queue}-poison`

/** The queues of the function app's own storage account, by its identity or its connection string. bad_config. */
export function queuesFrom(environment: Environment): QueueServiceClient {
  const { [connection]: text, [`${connection}__accountName`]: account, [`${connection}__queueServiceUri`]: url } = environment
  if (!url && account && !/^[a-z0-9]{3,24}$/.test(account))
    throw connectionError('does not name a storage account', `Write the name of one into ${connection}__accountName.`)
  const address = url || (account && `https://${account}.queue.core.windows.net`)
  if (address) return new QueueServiceClient(httpsOnly(address), new DefaultAzureCredential(), options)
  if (text) return fromText(text)
  throw connectionError('says nothing', `Set ${connection}__accountName to the storage account of the function app.`)
}

function httpsOnly(address: string): string {
  if (/^https:\/\/[^/?#@\s]+\/?$/.test(address) && URL.canParse(address)) return address
  throw connectionError('does not lead to queues by https', `Write ${connection}__accountName, or the address of the queues.`)
}

/** Checked by the vendor's client, whose error may quote the key. */
function fromText(text: string): QueueServiceClient {
  try {
    const client = QueueServiceClient.fromConnectionString(text, options)
    const { protocol, hostname } = new URL(client.url)
    if (protocol === 'https:' || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) return client
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause
    throw connectionError('is not a whole connection string', 'Copy it again from the storage account, or use its identity.')
  }
  throw connectionError('leads to the storage account without TLS', 'Write https in it. Only an emulator on this machine may be without.')
}

const connectionError = (why: string, next: string): RotationError =>
  new RotationError('bad_config', `${connection} ${why}.`, { field: connection, next })
