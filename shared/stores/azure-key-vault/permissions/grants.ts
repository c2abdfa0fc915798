import type { Principal } from '../../../core/ports/permissions.js'
import type { SecretName } from '../names.js'
import { placeName } from '../place.js'

/** A custom role. Predefined roles have more than is used. */
export interface Role {
  readonly id: string
  readonly title: string
  /** Of the resource itself, as the management plane has them, or of what is in it. */
  readonly on: 'actions' | 'dataActions'
  readonly permissions: readonly string[]
}

const ofSecrets = (...names: readonly string[]): readonly string[] => names.map((one) => `Microsoft.KeyVault/vaults/secrets/${one}/action`)
const containers = 'Microsoft.Storage/storageAccounts/blobServices/containers'

/** Each has what is needed together on one resource: no permission of a principal comes from two of them. */
export const roles = {
  read: { id: 'read', title: 'Keyturn read a secret', on: 'dataActions', permissions: ofSecrets('getSecret') },
  list: { id: 'list', title: 'Keyturn list secrets', on: 'dataActions', permissions: ofSecrets('readMetadata') },
  work: { id: 'work', title: 'Keyturn work on a secret', on: 'dataActions', permissions: ofSecrets('getSecret', 'setSecret', 'update') },
  recover: { id: 'recover', title: 'Keyturn recover a staging place', on: 'dataActions', permissions: ofSecrets('recover') },
  /** `write` also makes a blob, and takes its lease: `add/action` is not needed besides. */
  journal: {
    id: 'journal',
    title: 'Keyturn keep journals',
    on: 'dataActions',
    permissions: [`${containers}/blobs/read`, `${containers}/blobs/write`],
  },
  release: { id: 'release', title: 'Keyturn remove journals', on: 'dataActions', permissions: [`${containers}/blobs/delete`] },
  container: { id: 'container', title: 'Keyturn make the container', on: 'actions', permissions: [`${containers}/write`] },
} as const satisfies Record<string, Role>

/** What carries a grant: a vault or one secret of it, or the container of the journals in a storage account. */
export type Scope = { readonly host: string; readonly secret?: string } | Journals

/** A role for one principal on one resource. */
export interface Binding {
  readonly to: Principal
  readonly role: Role
  readonly scope: Scope
  readonly why: string
}

/** Where the journals are. */
export interface Journals {
  /** undefined: nobody has said which account. */
  readonly account: string | undefined
  readonly container: string
}
/** What the grants are for. */
export interface Named {
  readonly secret: SecretName
  readonly administrator?: SecretName
  readonly configuration?: SecretName
  /** The hosts of the vaults that a listing shows. */
  readonly vaults: readonly string[]
  readonly stagingHost?: string
  /** Absent where the settings hold a key of the account, which needs no role. */
  readonly journals?: Journals
}

/** Everything that one principal needs, and nothing else. */
export function bindingsOf(to: Principal, named: Named): readonly Binding[] {
  if (to === 'consumer')
    return [{ to, role: roles.read, scope: named.secret, why: 'Reads the value. Nobody but Keyturn needs anything on the staging place.' }]
  const all = [...(to === 'person' ? ofPerson(named) : ofFunction(named)), ...ofBoth(to, named)]
  const scopes = all.map(({ role, scope }) => JSON.stringify([role.id, scope]))
  return all.filter((_, index) => scopes.indexOf(scopes[index] ?? '') === index)
}

const once = <T>(items: readonly T[]): readonly T[] => [...new Set(items)]
const placeOf = ({ stagingHost }: Named, secret: SecretName): SecretName => placeName(secret, stagingHost)

/** The vaults that a person works in. */
const hostsOf = (named: Named): readonly string[] => once([named.secret.host, placeOf(named, named.secret).host])

function ofPerson(named: Named): readonly Binding[] {
  const to = 'person'
  const workWhy =
    'Works on the secret and on its staging place. On the whole vault, because neither may be there yet: this reads every secret of the vault.'
  return [
    ...hostsOf(named).map((host): Binding => ({ to, role: roles.work, scope: { host }, why: workWhy })),
    {
      to,
      role: roles.recover,
      scope: { host: placeOf(named, named.secret).host },
      why: 'Has a staging place back that somebody deleted. On the vault, because a deleted secret is not there.',
    },
    ...inJournals(
      to,
      named,
      roles.container,
      'Lets adopt make the container of the journals: it asks for that each time, also where it is there.',
    ),
    ...inJournals(to, named, roles.release, 'Removes the journal of a secret (release).'),
  ]
}

function ofFunction(named: Named): readonly Binding[] {
  const to = 'function'
  const place = placeOf(named, named.secret)
  const placeWhy = 'Keeps the pending value. The secret is there after keyturn adopt, and stays after keyturn release.'
  return [
    { to, role: roles.work, scope: named.secret, why: 'Rotates the secret.' },
    { to, role: roles.work, scope: place, why: placeWhy },
  ]
}

function ofBoth(to: Principal, named: Named): readonly Binding[] {
  const { secret, configuration } = named
  const place = placeOf(named, secret)
  const more = [...(to === 'person' ? [place.host] : []), ...(configuration === undefined ? [] : [placeOf(named, configuration).host])]
  const listed = once([secret.host, ...named.vaults, ...more])
  const listWhy = 'Finds what is due and looks at it (list, plan, sweep, doctor). It shows names and tags of the whole vault, and no value.'
  return [
    ...listed.map((host): Binding => ({ to, role: roles.list, scope: { host }, why: listWhy })),
    ...(listed.includes(place.host) ? [] : [{ to, role: roles.list, scope: place, why: 'Looks for pending values.' }]),
    ...ofOthers(to, named, listed),
    ...inJournals(to, named, roles.journal, journalWhy),
  ]
}

/** The administrator and the configuration, as far as a grant of a whole vault does not reach them. */
function ofOthers(to: Principal, named: Named, listed: readonly string[]): readonly Binding[] {
  const { administrator, configuration } = named
  const worksIn = to === 'person' ? hostsOf(named) : []
  const read = (scope: SecretName, why: string): readonly Binding[] =>
    worksIn.includes(scope.host) ? [] : [{ to, role: roles.read, scope, why }]
  const readWhy = 'Reads the configuration.'
  return [
    ...(administrator === undefined ? [] : read(administrator, 'Reads the administrator’s login.')),
    ...(configuration === undefined
      ? []
      : [
          ...read(configuration, readWhy),
          ...(listed.includes(configuration.host) ? [] : [{ to, role: roles.list, scope: configuration, why: readWhy }]),
          ...read(placeOf(named, configuration), `${readWhy} Its staging place is there once Keyturn has written it.`),
        ]),
  ]
}

/**
 * Not narrower than the container: a condition on the path of a blob says nothing of a listing, which has a prefix and no path, so that each secret
 * would need two conditions; and a principal with a condition for each secret has as many assignments as secrets. A journal has no value.
 */
const journalWhy = 'Reads and writes the journals of all secrets, under a lease. They hold policies, ids and times, and no value.'
const inJournals = (to: Principal, { journals }: Named, role: Role, why: string): readonly Binding[] =>
  journals === undefined ? [] : [{ to, role, scope: journals, why }]
