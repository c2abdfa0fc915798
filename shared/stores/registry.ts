import type { Env } from '../core/ports/env.js'
import type { SecretStore, SecretStoreAdmin } from '../core/ports/store.js'

/** What the CLI knows when it opens a store; each takes what it needs. A function's handler imports its own store directly instead. */
export interface StoreOptions {
  readonly env: Env
  readonly home: string
  /** The master key of the file store; asked for on first use. */
  readonly key: () => Promise<Buffer>
  /** Where Secrets Manager is, as far as the SDK's own settings do not say it. */
  readonly aws: { readonly endpoint?: string }
}
export type OpenedStore = SecretStore & SecretStoreAdmin

/** One line a store; loaded only when a ref names it. */
export const stores = {
  file: async ({ env, home, key }) => (await import('./file/open.js')).openFileStore(home, await key(), env),
  aws: async ({ env, aws }) => (await import('./aws-secrets-manager/admin.js')).AwsSecretsManagerAdmin.open(aws, env),
  memory: async ({ env }) => new (await import('./memory.js')).MemoryStore(env),
} satisfies Record<string, (options: StoreOptions) => Promise<OpenedStore>>
export type OpenableStore = keyof typeof stores
export const isOpenable = (kind: string): kind is OpenableStore => Object.hasOwn(stores, kind)
