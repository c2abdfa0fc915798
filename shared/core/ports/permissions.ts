/** Who is granted something: a person at the command line, the function that rotates, and whoever reads the secret. */
export const principals = ['person', 'function', 'consumer'] as const
export type Principal = (typeof principals)[number]

/** shell: commands of the platform's own program. */
export const permissionFormats = ['shell', 'terraform'] as const
export type PermissionFormat = (typeof permissionFormats)[number]

/** What a print of permissions is asked for. */
export interface PermissionsWish {
  readonly refText: string
  readonly principals: readonly Principal[]
  /** Who the principal is, as the platform writes it. Absent: the text has a variable for each principal. */
  readonly member?: string
  /** The secret of the administrator that the policy names. */
  readonly administrator?: string
  /** The configuration secret. One of another store is not the platform's business, nor is such an administrator: a note says so. */
  readonly configuration?: string
  /** The secret delays the destruction of its versions. */
  readonly destroysLater: boolean
}

/** Permissions that one principal has on one resource. */
export interface Grant {
  readonly to: Principal
  /** The resource that carries the grant. */
  readonly on: string
  /** Of a wider resource, this secret alone, which may not be there yet. */
  readonly only?: string
  readonly role: string
  readonly permissions: readonly string[]
  /** What it is for, and why it is not narrower. */
  readonly why: string
}

/** The least that lets Keyturn work, and how to grant it. */
export interface Permissions {
  readonly shown: string
  readonly grants: readonly Grant[]
  /** What to know before granting, each on one line: who is meant, what comes first, what is not included. The lines have them as comments. */
  readonly notes: readonly string[]
  lines(format: PermissionFormat): readonly string[]
}

/**
 * Says which permissions a secret needs, without a call to the platform: it works before anybody has any. bad_event for a ref or a member that is
 * malformed.
 */
export type PrintPermissions = (wish: PermissionsWish, environment: Readonly<Record<string, string | undefined>>) => Permissions
