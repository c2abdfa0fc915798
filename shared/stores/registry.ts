import { RotationError } from '../core/errors.js'
import type { InspectDeployed } from '../core/ports/deployed.js'
import type { Deployable } from '../core/ports/deployment.js'
import type { Env } from '../core/ports/env.js'
import type { PrintPermissions } from '../core/ports/permissions.js'
import type { RotationStarter, StepService } from '../core/ports/service.js'
import type { SecretStore, SecretStoreAdmin } from '../core/ports/store.js'
import type { StoreKind } from '../core/ports/words.js'

/** What is known when the command line opens a store; each store takes what it needs. A function's handler imports its own store directly instead. */
export interface StoreOptions {
  readonly env: Env
  /** The variables in which each store finds its own settings. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The folder of stores on this machine. */
  readonly home: string
  /** The master key of stores on this machine; asked for on first use. */
  readonly key: () => Promise<Buffer>
}
/** An opened store. A platform that drives rotations itself, or runs our functions, offers more. */
export type OpenedStore = SecretStore & SecretStoreAdmin & Partial<StepService & RotationStarter & Deployable>
/** How a store is opened. */
export interface StoreRow {
  open(options: StoreOptions): Promise<OpenedStore>
  /** It keeps its secrets in a folder of this machine, sealed with a key of its own. */
  readonly local?: true
  /** For trials and tests: its secrets are gone with the process. */
  readonly trial?: true
  /** Says which permissions a secret needs, or where a person reads it. */
  readonly permissions: { load(): Promise<PrintPermissions> } | { readonly instead: string }
  /** Asks its platform who may call our functions there. */
  readonly deployed?: { load(): Promise<InspectDeployed> }
}

/** One row for each store. A store is loaded only when a ref names it. */
export const stores = {
  file: {
    open: async ({ env, home, key }) => (await import('./file/open.js')).openFileStore(home, key, env),
    local: true,
    permissions: { instead: 'Whoever may read its folder and has its key has every permission: let nobody else read them.' },
  },
  aws: {
    open: async ({ env, environment }) =>
      (await import('./aws-secrets-manager/admin.js')).AwsSecretsManagerAdmin.openFrom(environment, env),
    permissions: { instead: 'serverless.yml grants the function what it needs. See docs/aws.md.' },
  },
  gcp: {
    open: async ({ env, environment }) => (await import('./gcp-secret-manager/admin.js')).GcpSecretManagerAdmin.openFrom(environment, env),
    permissions: { load: async () => (await import('./gcp-secret-manager/permissions.js')).permissionsOf },
    deployed: { load: async () => (await import('../google/deployed.js')).inspectDeployed },
  },
  azure: {
    open: async ({ env, environment }) => (await import('./azure-key-vault/admin.js')).AzureKeyVaultAdmin.openFrom(environment, env),
    permissions: { load: async () => (await import('./azure-key-vault/permissions.js')).permissionsOf },
  },
  memory: {
    open: async ({ env }) => new (await import('./memory.js')).MemoryStore(env),
    trial: true,
    permissions: { instead: 'It needs none.' },
  },
} satisfies Record<string, StoreRow>
/** Every store that has a row, including those for trials, which storeRow refuses. */
export type OpenableStore = keyof typeof stores

/** The stores that a person may name. */
export const storeKinds: readonly string[] = Object.entries<StoreRow>(stores).flatMap(([kind, { trial }]) => (trial ? [] : [kind]))
/** With what the name of a secret may begin. A function of AWS also takes one by its ARN. */
export const refPrefixes: readonly string[] = [...storeKinds, 'arn']

/** The row of a store. bad_event for a ref whose store has no row. */
export function storeRow(kind: StoreKind): StoreRow {
  const row = Object.entries<StoreRow>(stores).find(([name]) => name === kind)?.[1]
  if (row !== undefined && !row.trial) return row
  throw new RotationError('bad_event', `There is no store "${kind}".`, { field: 'ref', next: `Use one of ${storeKinds.join(', ')}.` })
}
