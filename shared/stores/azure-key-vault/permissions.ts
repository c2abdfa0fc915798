import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { PermissionsWish, PrintPermissions } from '../../core/ports/permissions.js'
import { azureSettings, type Storage } from './environment.js'
import { assertMember } from './member.js'
import { assertPlaceFits, isPlaceError, kind, oneLine, placeSuffix, readName, type SecretName, shownOf } from './names.js'
import { type Binding, bindingsOf, type Journals, type Named } from './permissions/grants.js'
import { notesOf } from './permissions/notes.js'
import { shownScope } from './permissions/scopes.js'
import { shellLines } from './permissions/shell.js'
import { terraformLines } from './permissions/terraform.js'

type Environment = Parameters<PrintPermissions>[1]

/**
 * What a secret of Azure Key Vault needs: custom roles, and assignments on single secrets as far as those are there. bad_event; bad_config for
 * settings of the process that are malformed.
 */
export const permissionsOf: PrintPermissions = (wish, environment) => {
  const { member, principals, destroysLater } = wish
  if (member !== undefined) assertMember(member, 'member')
  if (destroysLater) throw destroysLaterError()
  const { named, skipped } = namedIn(wish, environment)
  const bindings = principals.flatMap((to) => bindingsOf(to, named))
  const notes = notesOf(bindings, named, skipped)
  return {
    shown: shownOf(named.secret),
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
function namedIn({ refText, administrator, configuration }: PermissionsWish, environment: Environment): Found {
  const { vaults, stagingHost, storage, container } = azureSettings(environment)
  const secret = nameOf(refText, vaults, 'ref')
  if (secret.secret.endsWith(placeSuffix)) throw isPlaceError(shownOf(secret))
  assertPlaceFits(secret)
  const others = { '--admin': administrator, KEYTURN_CONFIG: configuration }
  const skipped = Object.entries(others).flatMap(([field, text]) =>
    text === undefined || isOurs(text) ? [] : [`Not included: ${field} names ${oneLine(text)}, which is not in Azure Key Vault.`],
  )
  const ours = (text: string | undefined, field: string): SecretName | undefined =>
    text === undefined || !isOurs(text) ? undefined : nameOf(text, vaults, field)
  const named = {
    secret,
    vaults,
    ...optional('stagingHost', stagingHost),
    ...optional('journals', journalsOf(storage, container)),
    ...optional('administrator', ours(administrator, 'admin')),
    ...optional('configuration', ours(configuration, 'KEYTURN_CONFIG')),
  }
  return { named, skipped }
}
/** A name without a store is not in this one: the command line has a store of its own for those. */
const isOurs = (text: string): boolean => text.startsWith(`${kind}:`)

function nameOf(text: string, vaults: readonly string[], field: string): SecretName {
  try {
    return readName(text, vaults)
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    throw new RotationError(cause.code, cause.message, { field, cause, next: cause.next })
  }
}

/** An address of one's own does not say the name of its account: then a variable stands for it. */
function journalsOf(storage: Storage | undefined, container: string): Journals | undefined {
  if (storage === undefined) return { account: undefined, container }
  if (!('url' in storage)) return undefined
  return { account: /^https:\/\/([a-z0-9]{3,24})\.(?:z\d+\.)?blob\./.exec(storage.url)?.[1], container }
}

const grantOf = ({ to, role, scope, why }: Binding) => ({ to, on: shownScope(scope), role: role.title, permissions: role.permissions, why })

const destroysLaterError = (): RotationError =>
  new RotationError('bad_event', 'Azure Key Vault never destroys a single version.', {
    field: 'destroys-later',
    next: 'Omit --destroys-later.',
  })
