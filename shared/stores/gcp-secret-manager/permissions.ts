import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { PermissionsWish, PrintPermissions } from '../../core/ports/permissions.js'
import { assertMember } from './member.js'
import { assertPlaceFits, isPlaceError, kind, oneLine, placeSuffix, readProject, readSecret, resourceOf, type SecretName } from './names.js'
import { type Binding, bindingsOf, type Named } from './permissions/grants.js'
import { carrierOf } from './permissions/names.js'
import { notesOf } from './permissions/notes.js'
import { shellLines } from './permissions/shell.js'
import { terraformLines } from './permissions/terraform.js'

/**
 * What a secret of Google Cloud needs: roles, and bindings of single secrets as far as the platform has them. bad_event; bad_config for a project of the
 * process that cannot be one.
 */
export const permissionsOf: PrintPermissions = (wish, environment) => {
  const project = environment.GOOGLE_CLOUD_PROJECT || undefined
  if (project !== undefined) readProject(project, 'GOOGLE_CLOUD_PROJECT')
  const { member, principals } = wish
  if (member !== undefined) assertMember(member, 'member')
  const { named, skipped } = namedIn(wish, project)
  const bindings = principals.flatMap((to) => bindingsOf(to, named))
  const notes = notesOf(bindings, named.secret, skipped)
  return {
    shown: `gcp:${resourceOf(named.secret)}`,
    grants: bindings.map((binding) => grantOf(binding)),
    notes,
    lines: (format) => (format === 'shell' ? shellLines(bindings, member, notes) : terraformLines(bindings, member, notes)),
  }
}

interface Found {
  readonly named: Named
  /** What is said of the secrets of other stores, where this platform grants nothing. */
  readonly skipped: readonly string[]
}
function namedIn(wish: PermissionsWish, project: string | undefined): Found {
  const { administrator, configuration, destroysLater } = wish
  const secret = nameOf(wish.refText, project, 'ref')
  if (secret.secret.endsWith(placeSuffix)) throw isPlaceError(`gcp:${resourceOf(secret)}`)
  assertPlaceFits(secret)
  const others = { '--admin': administrator, KEYTURN_CONFIG: configuration }
  const skipped = Object.entries(others).flatMap(([field, text]) =>
    text === undefined || isOurs(text) ? [] : [`Not included: ${field} names ${oneLine(text)}, which is not in Google Cloud.`],
  )
  const ours = (text: string | undefined, field: string): SecretName | undefined =>
    text === undefined || !isOurs(text) ? undefined : nameOf(text, project, field)
  const named = {
    secret,
    destroysLater,
    ...optional('administrator', ours(administrator, 'admin')),
    ...optional('configuration', ours(configuration, 'KEYTURN_CONFIG')),
  }
  return { named, skipped }
}
/** A name without a store is not in this one: the command line has a store of its own for those. */
const isOurs = (text: string): boolean => text.startsWith(`${kind}:`)

function nameOf(text: string, project: string | undefined, field: string): SecretName {
  try {
    return readSecret(text, project)
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    throw new RotationError(cause.code, cause.message, { field, cause, next: cause.next })
  }
}

const grantOf = (binding: Binding) => ({
  to: binding.to,
  on: carrierOf(binding),
  ...optional('only', binding.only && resourceOf(binding.only)),
  role: binding.role.id,
  permissions: binding.role.permissions,
  why: binding.why,
})
