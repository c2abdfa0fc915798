/** What a permission is held on. `own service` is the Cloud Run service under the function itself. */
export type Resource =
  | 'secret'
  | 'place'
  | 'administrator'
  | 'configuration'
  | 'public set'
  | 'project'
  | 'project of Cloud SQL'
  | 'queue'
  | 'task account'
  | 'dead letters'
  | 'consumer topics'
  | 'own service'
/** Permissions on each resource of one kind, and on nothing wider. */
export type Grants = Readonly<Partial<Record<Resource, readonly string[]>>>
/** Who may call a function. */
export type Caller = 'subscription' | 'scheduler' | 'queue' | 'people' | 'everybody'

/** What has to be set up around one function. The entry point is its name. */
export interface Needs {
  readonly calledBy: Caller
  /** Variables without which it does not run. */
  readonly required: readonly string[]
  readonly optional: readonly string[]
  readonly grants: Grants
  /** The same on a secret with version_destroy_ttl, where that differs. */
  readonly destroysLater?: readonly string[]
  /** The longest that its caller waits for an answer, in seconds. */
  readonly secondsMax: number
}
