import type { Principal } from '../../../core/ports/permissions.js'
import { commandOf, quoted } from '../../../core/shell-words.js'
import type { Binding, Role, Scope } from './grants.js'
import { accountVariable, hostsIn, journalsIn, rolesIn, tailOf, vaultName } from './scopes.js'

/** Commands of az. A variable that is not set ends its command with an error. */
export function shellLines(bindings: readonly Binding[], member: string | undefined, notes: readonly string[]): readonly string[] {
  const hosts = hostsIn(bindings)
  const variables = new Map(hosts.map((host, index) => [host, index === 0 ? 'vault_id' : `vault_id_${index + 1}`]))
  const idOf = (scope: Scope): string => ('host' in scope ? (variables.get(scope.host) ?? 'vault_id') : 'storage_id')
  return [
    ...notes.map((note) => `# ${note}`),
    '',
    ...setFirst(bindings, member),
    ...lookedUp(bindings, variables),
    ...roleCommands(rolesIn(bindings)),
    ...bindings.flatMap((binding) => assignment(binding, member, `"\${${idOf(binding.scope)}:?}${tailOf(binding.scope)}"`)),
  ]
}

const variableOf = (to: Principal): string => to.toUpperCase()

/** What the person has to say before the commands run. */
function setFirst(bindings: readonly Binding[], member: string | undefined): readonly string[] {
  const principals = member === undefined ? [...new Set(bindings.map(({ to }) => to))] : []
  const journals = journalsIn(bindings)
  const lines = [
    ...(principals.length === 0 ? [] : ['# Set first who each principal is, by the object id of the identity, user or group:']),
    ...principals.map((to) => `#   ${variableOf(to)}=...`),
    ...(journals === undefined || journals.account !== undefined
      ? []
      : ['# Set first the name of the storage account that keeps the journals:', `#   ${accountVariable}=...`]),
  ]
  return lines.length === 0 ? [] : [...lines, '']
}

function lookedUp(bindings: readonly Binding[], variables: ReadonlyMap<string, string>): readonly string[] {
  const journals = journalsIn(bindings)
  const id = '--query id --output tsv'
  return [
    '# The ids of the subscription and of what is granted on. All of it is in the subscription that az account show shows.',
    `subscription_id="$(az account show ${id})"`,
    ...[...variables].map(([host, variable]) => `${variable}="$(az keyvault show --name ${vaultName(host)} ${id})"`),
    ...(journals === undefined
      ? []
      : [`storage_id="$(az storage account show --name ${journals.account ?? `"\${${accountVariable}:?}"`} ${id})"`]),
    '',
  ]
}

function roleCommands(made: readonly Role[]): readonly string[] {
  return [
    '# The custom roles. They are the same for every secret: if one is there already, omit its command.',
    ...made.flatMap(roleCommand),
    '',
  ]
}
/** A text of JSON in single quotes, which end for the one variable. */
function roleCommand({ title, on, permissions }: Role): readonly string[] {
  const list = (name: Role['on']): string => JSON.stringify(name === on ? permissions : [])
  return [
    "az role definition create --role-definition '{",
    `  "Name": ${JSON.stringify(title)},`,
    '  "IsCustom": true,',
    `  "Description": ${JSON.stringify(`${title}.`)},`,
    `  "Actions": ${list('actions')},`,
    `  "DataActions": ${list('dataActions')},`,
    `  "AssignableScopes": ["/subscriptions/'"\${subscription_id:?}"'"]`,
    "}'",
  ]
}

function assignment({ to, role, why }: Binding, member: string | undefined, scope: string): readonly string[] {
  const who = member === undefined ? `"\${${variableOf(to)}:?}"` : quoted(member)
  return [
    `# ${to}: ${why}`,
    ...commandOf('az role assignment create', [
      `--assignee-object-id ${who}`,
      // Without the type, az asks for it, and does not find a new identity for a while.
      ...(to === 'function' ? ['--assignee-principal-type ServicePrincipal'] : []),
      `--role ${quoted(role.title)}`,
      `--scope ${scope}`,
    ]),
    '',
  ]
}
