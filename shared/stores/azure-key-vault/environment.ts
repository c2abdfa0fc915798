import { BlobServiceClient } from '@azure/storage-blob'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import { readVaults } from './names.js'

type Environment = Readonly<Record<string, string | undefined>>

/** The vaults that a listing shows. */
export const vaultsField = 'KEYTURN_AZURE_VAULTS'
/** The vault of all staging places. */
export const stagingField = 'KEYTURN_AZURE_STAGING_VAULT'
/** The storage account that has the journals. */
export const storageField = 'KEYTURN_AZURE_STORAGE'
const containerField = 'KEYTURN_AZURE_CONTAINER'
const containerDefault = 'keyturn'

/** Where the journals are: an account that the identity of the process may use, or one with its key. */
export type Storage = { readonly url: string } | { readonly connectionString: string }
/** What the environment says of the services. */
export interface AzureSettings {
  /** The hosts of the vaults that a listing shows. */
  readonly vaults: readonly string[]
  readonly stagingHost?: string
  readonly storage?: Storage
  readonly container: string
}

/**
 * Reads KEYTURN_AZURE_VAULTS, KEYTURN_AZURE_STAGING_VAULT, KEYTURN_AZURE_STORAGE and KEYTURN_AZURE_CONTAINER. A function app has a storage account:
 * its own settings hold where ours say nothing. bad_config for what is malformed, with the variable.
 */
export const azureOptions = (environment: Environment, env: Env): AzureSettings & { readonly env: Env } => ({
  env,
  ...azureSettings(environment),
})
/** The same without a clock: nothing is opened with it. */
export function azureSettings(environment: Environment): AzureSettings {
  const [staging, ...more] = readVaults(environment[stagingField] ?? '', stagingField)
  if (more.length > 0) throw configError(stagingField, 'names more than one vault', 'Name one: all staging places are in it.')
  return {
    vaults: readVaults(environment[vaultsField] ?? '', vaultsField),
    ...optional('stagingHost', staging),
    ...optional('storage', storageOf(environment)),
    container: containerOf(environment[containerField] || containerDefault),
  }
}

function storageOf(environment: Environment): Storage | undefined {
  const host = 'AzureWebJobsStorage'
  const [field, text] =
    [storageField, `${host}__blobServiceUri`, `${host}__accountName`, host]
      .map((name) => [name, environment[name]] as const)
      .find(([, value]) => value !== undefined && value !== '') ?? []
  if (field === undefined || text === undefined) return undefined
  if (/(?:^|;)(?:AccountKey|SharedAccessSignature|UseDevelopmentStorage)=/i.test(text))
    return { connectionString: connectionString(text, field) }
  if (/^[a-z0-9]{3,24}$/.test(text)) return { url: `https://${text}.blob.core.windows.net` }
  if (/^https:\/\/[^/?#@\s]+\/?$/.test(text)) return { url: text.replace(/\/$/, '') }
  // It may hold the key of the account: the text is not repeated.
  throw configError(
    field,
    'is neither the name of a storage account nor the address of its blobs',
    'Write the name, or https://ACCOUNT.blob.core.windows.net.',
  )
}

/** Checked by the vendor's client, whose error may quote the text. */
function connectionString(text: string, field: string): string {
  try {
    const { protocol, hostname } = new URL(BlobServiceClient.fromConnectionString(text).url)
    if (protocol !== 'https:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
      throw configError(
        field,
        'leads to the storage account without TLS',
        'Write https in it. Only an emulator on this machine may be without.',
      )
    return text
  } catch (cause) {
    if (cause instanceof RotationError) throw cause
    throw configError(field, 'is not a whole connection string', 'Copy it again from the storage account, or write only its name.')
  }
}

function containerOf(name: string): string {
  if (/^[a-z0-9](?:-?[a-z0-9]){2,62}$/.test(name)) return name
  throw configError(containerField, 'is not the name of a container', 'Use a-z 0-9 and single -, from 3 to 63 characters.')
}

const configError = (field: string, why: string, next: string): RotationError =>
  new RotationError('bad_config', `${field} ${why}.`, { field, next })

/** The error for a write where nothing says where the journals are. */
export const noStorageError = (shown: string): RotationError =>
  new RotationError('bad_config', `No storage account keeps the journal of ${shown}: without it nothing is written.`, {
    field: storageField,
    next: `Set ${storageField} to the name of a storage account in which this identity may write blobs. A function app has one.`,
  })
