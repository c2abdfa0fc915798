import { aligned, blockOf, text } from '../../../core/hcl.js'
import type { Principal } from '../../../core/ports/permissions.js'
import { shownVault } from '../names.js'
import type { Binding, Role, Scope } from './grants.js'
import { hostsIn, journalsIn, labelParts, rolesIn, tailOf } from './scopes.js'

/** Resources for Terraform's provider azurerm, as `terraform fmt` writes them. */
export function terraformLines(bindings: readonly Binding[], member: string | undefined, notes: readonly string[]): readonly string[] {
  const journals = journalsIn(bindings)
  return [
    ...[...notes, ...twiceNotes].map((note) => `# ${note}`),
    '',
    ...(member === undefined ? [...new Set(bindings.map(({ to }) => to))].flatMap(memberVariable) : []),
    ...hostsIn(bindings).flatMap((host) => variable(vaultLabel(host), `The resource id of the vault ${shownVault(host)}`)),
    ...(journals === undefined
      ? []
      : variable(accountLabel, `The resource id of the storage account ${journals.account ?? 'of the journals'}`)),
    ...blockOf(`data "azurerm_subscription" "${label()}"`, []),
    '# The custom roles. They are the same for every secret: a subscription has them once.',
    ...rolesIn(bindings).flatMap(roleBlock),
    ...bindings.flatMap((binding) => assignmentBlock(binding, member)),
  ]
}

const twiceNotes = [
  'For a second secret in the same module, omit what is there already, which has the same name: the variables, data azurerm_subscription, the custom roles,',
  'what is granted on vaults and on the container, and what is granted on the secrets of --admin and KEYTURN_CONFIG.',
]

/** The last part of a resource's address. */
const label = (...parts: readonly string[]): string => ['keyturn', ...parts].join('_').replace(/[^\w-]/g, '_')
const vaultLabel = (host: string): string => label('vault', shownVault(host))
const accountLabel = label('storage_account')

const variable = (name: string, description: string): readonly string[] =>
  blockOf(
    `variable "${name}"`,
    aligned([
      ['type', 'string'],
      ['description', text(description)],
    ]),
  )
const memberVariable = (to: Principal): readonly string[] => variable(label(to), `The object id of the ${to}`)

function roleBlock({ id, title, on, permissions }: Role): readonly string[] {
  return blockOf(`resource "azurerm_role_definition" "${label(id)}"`, [
    ...aligned([
      ['name', text(title)],
      ['scope', `data.azurerm_subscription.${label()}.id`],
      ['description', text(`${title}.`)],
    ]),
    '  permissions {',
    `    ${on === 'actions' ? 'actions' : 'data_actions'} = [`,
    ...permissions.map((one) => `      ${text(one)},`),
    '    ]',
    '  }',
  ])
}

function assignmentBlock({ to, role, scope, why }: Binding, member: string | undefined): readonly string[] {
  return [
    `# ${to}: ${why}`,
    ...blockOf(
      `resource "azurerm_role_assignment" "${label(to, ...labelParts(scope), role.id)}"`,
      aligned([
        ['scope', scopeOf(scope)],
        ['role_definition_id', `azurerm_role_definition.${label(role.id)}.role_definition_resource_id`],
        ['principal_id', member === undefined ? `var.${label(to)}` : text(member)],
        ...(to === 'function' ? [['principal_type', text('ServicePrincipal')] as const] : []),
      ]),
    ),
  ]
}
function scopeOf(scope: Scope): string {
  const id = `var.${'host' in scope ? vaultLabel(scope.host) : accountLabel}`
  const tail = tailOf(scope)
  return tail === '' ? id : `"\${${id}}${tail}"`
}
