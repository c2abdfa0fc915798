import { roles } from '../../../shared/stores/gcp-secret-manager/permissions/grants.js'

/** What is described is read: a staged value is told from others by its payload. `versions.get`, because a listing lags. */
export const describing = named('secrets.get', 'versions.list', 'versions.get', 'versions.access')
/** A rotation writes annotations and aliases, and adds a version. */
export const publishing = [...describing, ...named('secrets.update', 'versions.add')]
/** Reading one value. */
export const access = roles.access.permissions
/** Variables that every function may have that acts on secrets. */
export const settings = ['KEYTURN_CONFIG', 'KEYTURN_GCP_LOCATIONS'] as const
/** And which actions it is for, of one that is asked. */
export const asked = [...settings, 'KEYTURN_ACTIONS'] as const
/** Its own service must be closed to everybody, which it looks up when it starts. KEYTURN_SERVICE names it. */
export const own = { 'own service': ['run.services.get', 'run.services.getIamPolicy'] } as const
/** Sending work. Who sends a task that carries an account's token must be allowed to act as it. */
export const sending = { queue: ['cloudtasks.tasks.create'], 'task account': ['iam.serviceAccounts.actAs'] } as const
/** Where work is sent. */
export const queueVariables = ['KEYTURN_QUEUE', 'KEYTURN_WORK_URL', 'KEYTURN_WORK_ACCOUNT'] as const
/** What nobody can read is published there, without a word of it. */
const deadLetters = { 'dead letters': ['pubsub.topics.publish'] } as const

/** Who works by messages. */
export const working = { ...sending, ...deadLetters } as const
/**
 * What a rotation needs beside its secret: values of others, and passwords that Cloud SQL sets. An operation is looked at with instances.get. The platform
 * grants the permissions of Cloud SQL on nothing narrower than a project.
 */
export const rotating = {
  administrator: access,
  configuration: access,
  'project of Cloud SQL': ['cloudsql.instances.get', 'cloudsql.users.get', 'cloudsql.users.update'],
} as const

/** Who announces publishes to the topics of consumers, where there are any. */
export const announcing = { 'consumer topics': ['pubsub.topics.publish'] } as const

/** Permissions of Secret Manager. */
export function named(...permissions: readonly string[]): readonly string[] {
  return permissions.map((one) => `secretmanager.${one}`)
}
