import assert from 'node:assert/strict'
import type { BlobFaults, BlobOperation } from './blob-faults.js'
import type { KeyVaultDouble } from './key-vault.js'
import { callsIn } from './shell-calls.js'
import { type Module, textOf } from './terraform-module.js'

/** Permissions of one member on one resource, as the platform would have them after the commands. */
export interface Held {
  readonly member: string
  /** The whole id of the resource. */
  readonly on: string
  readonly permissions: readonly string[]
}

const subscription = '00000000-0000-4000-8000-000000000003'
const group = `/subscriptions/${subscription}/resourceGroups/rg/providers`
export const vaultId = (name: string): string => `${group}/Microsoft.KeyVault/vaults/${name}`
export const secretId = (vault: string, secret: string): string => `${vaultId(vault)}/secrets/${secret}`
export const storageId = (account: string): string => `${group}/Microsoft.Storage/storageAccounts/${account}`
export const containerId = (account: string, container: string): string =>
  `${storageId(account)}/blobServices/default/containers/${container}`

/** What az answers of a resource. */
const answers = `
case "$1 $2 $3 $4" in
  "account show --query id") echo '${subscription}' ;;
  "keyvault show --name "?*) echo "${vaultId('$4')}" ;;
  "storage account show --name") echo "${storageId('$5')}" ;;
esac
`
/** Runs the text in a real shell with an az that only notes what it is called with. */
export const callsOfAz = (text: string, variables: Readonly<Record<string, string>> = {}): readonly (readonly string[])[] =>
  callsIn(text, { name: 'az', answers }, { shell: 'bash', variables })

interface RoleDefinition {
  readonly Name: string
  readonly Actions: readonly string[]
  readonly DataActions: readonly string[]
  readonly AssignableScopes: readonly string[]
}
/** Which permissions are of the management plane: the others are of the data plane. A role has each in its own list. */
const isManagement = (permission: string): boolean => /containers\/write$/.test(permission)
function checkedRole({
  actions,
  dataActions,
}: {
  readonly actions: readonly string[]
  readonly dataActions: readonly string[]
}): readonly string[] {
  assert.ok(actions.every(isManagement) && !dataActions.some(isManagement), [...actions, ...dataActions].join(' '))
  assert.ok(![...actions, ...dataActions].some((one) => one.includes('*')))
  return [...actions, ...dataActions]
}

/** What everybody has after these calls. Fails for one that it does not understand. */
export function heldAfter(calls: readonly (readonly string[])[]): readonly Held[] {
  const roles = new Map<string, readonly string[]>()
  const held: Held[] = []
  for (const words of calls) {
    const [command, rest] = [words.slice(0, 3).join(' '), words.slice(3)]
    const options = new Map(rest.flatMap((word, index) => (index % 2 === 0 ? [[word, rest[index + 1] ?? ''] as const] : [])))
    const option = (name: string): string => options.get(name) ?? assert.fail(`${command} without ${name}`)
    if (command === 'role definition create') {
      const role: RoleDefinition = JSON.parse(option('--role-definition'))
      assert.ok(!roles.has(role.Name), `${role.Name} is made twice`)
      assert.deepEqual(role.AssignableScopes, [`/subscriptions/${subscription}`])
      roles.set(role.Name, checkedRole({ actions: role.Actions, dataActions: role.DataActions }))
    } else if (command === 'role assignment create') {
      const permissions = roles.get(option('--role')) ?? assert.fail(`${option('--role')} is not there`)
      held.push({ member: option('--assignee-object-id'), on: option('--scope'), permissions })
    } else assert.match(words.join(' '), /^(account|keyvault|storage account) show .*--query id --output tsv$/)
  }
  return held
}

/** What everybody has once these resources are there, as a reader of the provider's documentation sees them: it is no interpreter of Terraform. */
export function heldByTerraform({ resources, data, variables }: Module, values: Readonly<Record<string, string>>): readonly Held[] {
  const resolved = (text: string): string =>
    text.replace(/\$\{var\.([\w-]+)\}/g, (_, name: string) => {
      assert.ok(variables.has(name), name)
      return values[name] ?? assert.fail(`${name} has no value`)
    })
  const [only] = data
  assert.deepEqual(data, [{ type: 'azurerm_subscription', name: 'keyturn', body: only?.body }])
  const roles = new Map(
    resources
      .filter(({ type }) => type === 'azurerm_role_definition')
      .map(({ name, body }) => {
        assert.equal(textOf(body, 'scope'), '${data.azurerm_subscription.keyturn.id}')
        const [{ actions = [], data_actions: dataActions = [] }] = body.permissions as [Readonly<Record<string, readonly string[]>>]
        const address: string = `\${azurerm_role_definition.${name}.role_definition_resource_id}`
        return [address, checkedRole({ actions, dataActions })] as const
      }),
  )
  return resources
    .filter(({ type }) => type !== 'azurerm_role_definition')
    .map(({ type, name, body }) => {
      assert.equal(type, 'azurerm_role_assignment')
      const permissions = roles.get(textOf(body, 'role_definition_id')) ?? assert.fail(name)
      return { member: resolved(textOf(body, 'principal_id')), on: resolved(textOf(body, 'scope')), permissions }
    })
}

const blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers'
/** What an operation needs, as the service documents it. */
const permissionFor: Readonly<Record<BlobOperation, string>> = {
  read: `${blobs}/blobs/read`,
  look: `${blobs}/blobs/read`,
  list: `${blobs}/blobs/read`,
  create: `${blobs}/blobs/write`,
  write: `${blobs}/blobs/write`,
  acquire: `${blobs}/blobs/write`,
  renew: `${blobs}/blobs/write`,
  change: `${blobs}/blobs/write`,
  release: `${blobs}/blobs/write`,
  break: `${blobs}/blobs/write`,
  delete: `${blobs}/blobs/delete`,
  container: `${blobs}/write`,
}

/** Lets the services refuse what the members do not have, and notes what each of them uses. */
export class Gate {
  /** Who calls. */
  acting = ''
  held: readonly Held[] = []
  readonly used = new Set<string>()
  readonly #container: string
  #double: KeyVaultDouble | undefined
  /** `container`: the id of the one container that blobs are in. */
  constructor(container: string) {
    this.#container = container
  }

  /** From now on nobody passes who has nothing. */
  close(double: KeyVaultDouble, blobCalls: BlobFaults): void {
    this.#double = double
    double.mayNot = (action, secret, vault) => !this.#may(action, secret === undefined ? vaultId(vault) : secretId(vault, secret))
    blobCalls.fault = ({ operation }) =>
      this.#may(permissionFor[operation], this.#container) ? undefined : { status: 403, code: 'AuthorizationPermissionMismatch' }
  }
  #may(permission: string, resource: string): boolean {
    const those = this.allowing(permission, resource)
    for (const one of those) this.used.add(partOf(one, permission))
    return those.length > 0
  }
  /** What lets the one who acts do this. */
  allowing(permission: string, resource: string): readonly Held[] {
    return this.held.filter(({ member, on, permissions }) => {
      return (
        member === this.acting && permissions.includes(permission) && (resource === on || resource.startsWith(`${on}/`)) && this.#counts(on)
      )
    })
  }
  /** Whether an assignment on a secret that is not there can be made is not documented: here it cannot, so that nothing depends on it. */
  #counts(on: string): boolean {
    const [, vault, secret] = /\/vaults\/([^/]+)\/secrets\/([^/]+)$/.exec(on) ?? []
    if (vault === undefined || secret === undefined) return true
    const stored = this.#double?.vault(vault).secrets.get(secret)
    return stored !== undefined && stored.deletedAt === undefined
  }
}

/** One permission of an assignment, to be counted. */
export const partOf = ({ member, on }: Held, permission: string): string => [member, on, permission].join(' ')
export const partsOf = (held: readonly Held[]): readonly string[] =>
  held.flatMap((one) => one.permissions.map((permission) => partOf(one, permission)))
