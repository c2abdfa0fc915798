import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { PermissionsWish, PrintPermissions } from '../../core/ports/permissions.js'
import { splitRef } from '../../core/refs.js'
import { kind, readName, resourceOf, type SecretName } from './names.js'
import { type Binding, bindingsOf, type Named } from './permissions/grants.js'
import { carrierOf } from './permissions/names.js'
import { shellLines } from './permissions/shell.js'
import { terraformLines } from './permissions/terraform.js'

/** What a secret of Google Cloud needs: roles, and bindings of single secrets as far as the platform has them. bad_event. */
export const permissionsOf: PrintPermissions = (wish, environment) => {
  const project = environment.GOOGLE_CLOUD_PROJECT || undefined
  const { member, principals } = wish
  if (member !== undefined && !memberForm.test(member)) throw memberError(member)
  const named = namedIn(wish, project)
  const bindings = principals.flatMap((to) => bindingsOf(to, named))
  return {
    shown: `gcp:${resourceOf(named.secret)}`,
    grants: bindings.map((binding) => grantOf(binding)),
    lines: (format) => (format === 'shell' ? shellLines(bindings, member) : terraformLines(bindings, member)),
  }
}

function namedIn(wish: PermissionsWish, project: string | undefined): Named {
  const { administrator, configuration, destroysLater } = wish
  const nameIn = (text: string, field: string): SecretName => nameOf(text, project, field)
  const isOurs = configuration !== undefined && splitRef(configuration, kind).store === kind
  return {
    secret: nameIn(wish.refText, 'ref'),
    destroysLater,
    ...optional('administrator', administrator === undefined ? undefined : nameIn(administrator, 'admin')),
    ...optional('configuration', isOurs ? nameIn(configuration, 'KEYTURN_CONFIG') : undefined),
  }
}

function nameOf(text: string, project: string | undefined, field: string): SecretName {
  try {
    const { version: _, ...name } = readName(text, project)
    return name
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

/** One account, a group of them, or identities of another provider. Never everybody. */
const memberForm = /^(?:(?:user|serviceAccount|group|domain):|principal(?:Set)?:\/\/)[^\s"`$\\]+$/
const memberError = (member: string): RotationError =>
  new RotationError('bad_event', `"${member}" is not a principal of Google Cloud.`, {
    field: 'member',
    next: 'Write for example serviceAccount:NAME@PROJECT.iam.gserviceaccount.com, user:NAME@DOMAIN or principal://…. A secret is never granted to everybody.',
  })
