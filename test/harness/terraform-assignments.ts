import assert from 'node:assert/strict'
import { blockOf, type Module, type Resource, textOf } from './terraform-module.js'

/** What a principal has on one kind of resource; both as the module writes them. */
export interface Assigned {
  /** The label of an identity of the module, or `events` for the topics of Event Grid. */
  readonly principal: string
  readonly kind: string
  /** Permissions of a custom role, or of a predefined one that has nothing else. */
  readonly permissions: readonly string[]
  /** A predefined role that has more than is named here. */
  readonly predefined?: string
  readonly address: string
}

/** Predefined roles of one permission. */
const single: Readonly<Record<string, string>> = {
  'EventGrid Data Sender': 'Microsoft.EventGrid/events/send/action',
  'Storage Queue Data Message Sender': 'Microsoft.Storage/storageAccounts/queueServices/queues/messages/add/action',
}
/** Predefined roles that the platform asks for. */
const wide = ['Storage Blob Data Owner', 'Storage Blob Data Contributor', 'Monitoring Metrics Publisher']

/** The kind of what an assignment is on, by its scope and what it repeats. Everything else fails, so that none is overlooked. */
const kinds: Readonly<Record<string, string>> = {
  '${each.value} ${local.whole}': 'vault',
  '${each.value} ${local.single}': 'vault',
  '${each.value.id} ${var.vaults}': 'vault',
  '${azurerm_key_vault.staging.id}': 'staging vault',
  '${each.value} ${toset(var.administrators)}': 'administrator',
  '${var.configuration}': 'configuration',
  '${var.public_set}': 'public set',
  '${each.value} ${toset(var.consumer_topics)}': 'consumer topics',
  '${each.value} ${toset(var.flexible_servers)}': 'flexible server',
  '${each.value} ${toset([for one in var.flexible_servers : join("/", slice(split("/", one), 0, 5))])}': 'group of flexible servers',
  '${azurerm_storage_container.journals.id}': 'journals',
  '${azurerm_storage_container.dead_letters.id} ${var.vaults}': 'dead letters',
  '${azurerm_storage_account.fleet.id}': 'storage account',
  '${azurerm_storage_account.jwks[0].id}': 'storage account',
  '${azurerm_storage_account.fleet.id}/queueServices/default/queues/${azurerm_storage_queue.work.name}': 'queue',
  '${azurerm_storage_account.fleet.id}/queueServices/default/queues/${azurerm_storage_queue.poison.name}': 'poison queue',
  '${azurerm_application_insights.this.id}': 'telemetry',
}

/** Every assignment of a module. Fails for one that it does not understand, for a role that nobody has, and for a permission with a wildcard. */
export function assignmentsOf(module: Module): readonly Assigned[] {
  const roles = new Map(
    module.resources.filter(({ type }) => type === 'azurerm_role_definition').map((one) => [one.name, permissionsOf(one)]),
  )
  const unused = new Set(roles.keys())
  const assigned = module.resources
    .filter(({ type }) => type === 'azurerm_role_assignment')
    .map(({ type, name, body }): Assigned => {
      const { for_each: each, role_definition_name: role } = body
      const scope = [textOf(body, 'scope'), ...(typeof each === 'string' ? [each] : [])].join(' ')
      const common = {
        principal: principalOf(textOf(body, 'principal_id')),
        kind: kinds[scope] ?? assert.fail(scope),
        address: `${type}.${name}`,
      }
      assert.equal(body.principal_type, 'ServicePrincipal', name)
      if (typeof role === 'string') {
        assert.ok(role in single || wide.includes(role), role)
        const permission = single[role]
        return permission === undefined ? { ...common, permissions: [], predefined: role } : { ...common, permissions: [permission] }
      }
      const custom =
        /^\$\{azurerm_role_definition\.(\w+)\.role_definition_resource_id\}$/.exec(textOf(body, 'role_definition_id'))?.[1] ?? ''
      unused.delete(custom)
      return { ...common, permissions: roles.get(custom) ?? assert.fail(custom) }
    })
  assert.deepEqual([...unused], [])
  return assigned
}

function permissionsOf({ name, body }: Resource): readonly string[] {
  const { actions = [], data_actions: dataActions = [], ...others } = blockOf(body, 'permissions')
  assert.deepEqual(others, {}, name)
  const all = [actions, dataActions].flatMap((list) => (Array.isArray(list) ? list : assert.fail(name)))
  assert.ok(all.length > 0 && all.every((one) => typeof one === 'string' && !one.includes('*')), `${name} has a wildcard`)
  // What a vault or a storage account has in it is of the data plane; a queue and a server are of the management plane.
  for (const one of all.map(String))
    assert.equal(/queues\/read$|^Microsoft\.DBfor/.test(one), Array.isArray(actions) && actions.includes(one), one)
  return all.map(String)
}

function principalOf(text: string): string {
  if (text === '${azurerm_eventgrid_system_topic.vault[each.key].identity[0].principal_id}') return 'events'
  return /^\$\{azurerm_user_assigned_identity\.(\w+)(?:\[0\])?\.principal_id\}$/.exec(text)?.[1] ?? assert.fail(text)
}
