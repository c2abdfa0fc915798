import type { PermissionsWish, Principal } from '../../../core/ports/permissions.js'
import type { SecretName } from '../names.js'
import { placeName } from '../place.js'

/** A role: one of ours, or one that the platform has. */
export interface Role {
  readonly id: string
  /** Absent for a role of the platform. */
  readonly title?: string
  readonly permissions: readonly string[]
}

const named = (...permissions: readonly string[]): readonly string[] => permissions.map((one) => `secretmanager.${one}`)
/** Whatever is described needs `versions.get`: a listing lags, and does not show the newest version. */
const reading = ['secrets.get', 'versions.list', 'versions.get', 'versions.access'] as const
const writing = [...reading, 'secrets.update', 'versions.add'] as const

/** `secrets.update` (annotations, aliases) is in no predefined role of Secret Manager but the administrator's, so that these are custom roles. */
export const roles = {
  secret: { id: 'keyturnSecret', title: 'Keyturn: a secret', permissions: named(...writing, 'versions.disable') },
  /** For a secret with version_destroy_ttl: what is destroyed there can be had back for a while, and nothing is disabled. */
  secretDestroysLater: {
    id: 'keyturnSecretDestroysLater',
    title: 'Keyturn: a secret with version_destroy_ttl',
    permissions: named(...writing, 'versions.destroy'),
  },
  place: {
    id: 'keyturnPlace',
    title: 'Keyturn: a staging place',
    permissions: named(...writing, 'versions.disable', 'versions.destroy'),
  },
  release: { id: 'keyturnRelease', title: 'Keyturn: remove a staging place', permissions: named('secrets.delete') },
  list: { id: 'keyturnList', title: 'Keyturn: list secrets', permissions: named('secrets.list') },
  create: { id: 'keyturnCreate', title: 'Keyturn: create secrets', permissions: named('secrets.create') },
  configuration: {
    id: 'keyturnConfiguration',
    title: 'Keyturn: read the configuration',
    permissions: named(...reading),
  },
  access: { id: 'roles/secretmanager.secretAccessor', permissions: named('versions.access') },
} as const satisfies Record<string, Role>

/** The title of every condition. The platform takes 100 characters, and a name has more: the expression says which secret. */
export const conditionTitle = 'keyturn one secret'

/** A role for one principal on one resource. */
export interface Binding {
  readonly to: Principal
  readonly role: Role
  /** The secret that has the binding; absent: the project has it. */
  readonly on?: SecretName
  readonly project: string
  /** With a binding of the project: for this secret alone. */
  readonly only?: SecretName
  readonly why: string
}

/** What the grants are for. */
export interface Named {
  readonly secret: SecretName
  readonly administrator?: SecretName
  readonly configuration?: SecretName
  readonly destroysLater: PermissionsWish['destroysLater']
}

/** Everything that one principal needs, and nothing else. */
export function bindingsOf(to: Principal, named: Named): readonly Binding[] {
  if (to === 'consumer')
    return [onSecret(to, roles.access, named.secret, 'Reads the value. Nobody but Keyturn needs anything on the staging place.')]
  return [...(to === 'person' ? ofPerson(named) : ofFunction(named)), ...ofBoth(to, named)]
}

const onSecret = (to: Principal, role: Role, on: SecretName, why: string): Binding => ({ to, role, on, project: on.project, why })
const inProject = (to: Principal, role: Role, { project }: SecretName, why: string): Binding => ({ to, role, project, why })
const onlyFor = (to: Principal, role: Role, only: SecretName, why: string): Binding => ({ ...inProject(to, role, only, why), only })

const roleOf = ({ destroysLater }: Named): Role => (destroysLater ? roles.secretDestroysLater : roles.secret)
const absentWhy = 'On the project, because a secret that is not there yet has no bindings; the condition leaves one secret.'

function ofPerson(named: Named): readonly Binding[] {
  const { secret } = named
  const place = placeName(secret)
  const createWhy =
    'Makes the staging place, and new secrets. The platform asks for this permission on the project, so that no condition on a name can hold.'
  return [
    inProject('person', roles.create, secret, createWhy),
    onlyFor('person', roleOf(named), secret, `Works on the secret. ${absentWhy}`),
    onlyFor('person', roles.place, place, `Works on the staging place. ${absentWhy}`),
    onlyFor('person', roles.release, place, 'Removes the staging place (release). It goes with no other secret.'),
  ]
}

function ofFunction(named: Named): readonly Binding[] {
  const place = placeName(named.secret)
  return [
    onSecret('function', roleOf(named), named.secret, 'Rotates the secret.'),
    onSecret(
      'function',
      roles.place,
      place,
      'Keeps the pending value. The secret is there after keyturn adopt; again after keyturn release.',
    ),
  ]
}

function ofBoth(to: Principal, { secret, administrator, configuration }: Named): readonly Binding[] {
  const listWhy =
    'Finds what is due (list, plan, sweep, doctor). A listing is of the whole project; it shows names, labels and annotations, and no value.'
  const readWhy = 'Reads the configuration.'
  return [
    inProject(to, roles.list, secret, listWhy),
    ...(administrator === undefined ? [] : [onSecret(to, roles.access, administrator, 'Reads the administrator’s login.')]),
    ...(configuration === undefined
      ? []
      : [
          onSecret(to, roles.configuration, configuration, readWhy),
          onlyFor(to, roles.configuration, placeName(configuration), `${readWhy} ${absentWhy}`),
        ]),
  ]
}
