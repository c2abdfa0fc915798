import { stagingField, storageField, vaultsField } from '../../../shared/stores/azure-key-vault/environment.js'
import { roles } from '../../../shared/stores/azure-key-vault/permissions/grants.js'
import { connection, queueField } from '../queue/settings.js'

const queues = 'Microsoft.Storage/storageAccounts/queueServices/queues'
/** What the trigger and the code do with the queue of work. */
export const working = {
  queue: [
    `${queues}/read`, // the trigger asks whether it is there, and how long it is
    `${queues}/messages/read`,
    `${queues}/messages/process/action`,
    `${queues}/messages/write`, // puts a message, and hides one for longer: Storage Queue Data Message Processor lacks the second
  ],
  // The host moves there what failed too often, and the code what nobody can read. Neither makes the queue where it is there.
  'poison queue': [`${queues}/messages/add/action`],
} as const

/** Working on secrets and looking at all of them. On whole vaults, as the platform advises. */
export const vaults = {
  vault: [...roles.work.permissions, ...roles.list.permissions],
  'staging vault': [...roles.work.permissions, ...roles.list.permissions],
  journals: roles.journal.permissions,
} as const

/** Values of others. What the configuration is, its tags say. */
export const reading = {
  administrator: roles.read.permissions,
  configuration: [...roles.read.permissions, ...roles.list.permissions],
} as const

const engines = ['Microsoft.DBforPostgreSQL', 'Microsoft.DBforMySQL'] as const
/** Passwords that the platform sets. An operation is not under its server, so that it is looked at in the resource group. */
export const setting = {
  'flexible server': engines.flatMap((one) => [`${one}/flexibleServers/read`, `${one}/flexibleServers/write`]),
  'group of flexible servers': engines.flatMap((one) => [
    `${one}/locations/azureAsyncOperation/read`,
    `${one}/locations/operationResults/read`,
  ]),
} as const

/** Who announces sends to the topics of consumers, where there are any. */
export const announcing = { 'consumer topics': ['Microsoft.EventGrid/events/send/action'] } as const

/** Reading one value. */
export const access = roles.read.permissions

/** Where the storage account is, and who asks: the code, the host and the vendor's libraries read these. */
export const account = [`${connection}__accountName`] as const
export const identity = [connection, `${connection}__credential`, `${connection}__clientId`, 'AZURE_CLIENT_ID'] as const
/** How the host behaves. Sampling would drop lines that alerts count. */
export const behaviour = [
  'AzureWebJobsDisableHomepage',
  'AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__isEnabled',
  'APPLICATIONINSIGHTS_AUTHENTICATION_STRING',
] as const
/** What a fleet may be told. */
export const settings = [
  vaultsField,
  stagingField,
  storageField,
  queueField,
  'KEYTURN_AZURE_CONTAINER',
  'KEYTURN_CONFIG',
  'KEYTURN_SCHEDULE',
  'KEYTURN_ACTIONS',
  'KEYTURN_INVOKERS',
  'AzureFunctionsJobHost__functionTimeout',
] as const
/** The platform's own role for the storage account of a host: it makes containers there, and keeps leases, keys and the archive in them. */
export const hosting = { 'storage account': 'Storage Blob Data Owner', telemetry: 'Monitoring Metrics Publisher' } as const
