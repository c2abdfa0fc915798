/** What a permission is held on. A vault is one that has secrets of consumers; all staging places are in a second one. */
export type Resource =
  | 'vault'
  | 'staging vault'
  | 'administrator'
  | 'configuration'
  | 'public set'
  | 'journals'
  | 'queue'
  | 'poison queue'
  | 'consumer topics'
  | 'flexible server'
  | 'group of flexible servers'
  | 'storage account'
  | 'telemetry'
/** Permissions on each resource of one kind, and on nothing wider. */
export type Grants = Readonly<Partial<Record<Resource, readonly string[]>>>

/** What has to be set up around one function app: its functions share an identity. */
export interface Needs {
  readonly functions: readonly string[]
  /** Settings without which it does not run. */
  readonly required: readonly string[]
  readonly optional: readonly string[]
  /** Settings that the host and the vendor's libraries read. */
  readonly host: readonly string[]
  /** What the code and the triggers call. */
  readonly grants: Grants
  /** Predefined roles that the platform asks for, for what the host itself does. */
  readonly predefined: Readonly<Partial<Record<Resource, string>>>
}
