import { shownVault } from '../names.js'
import type { Binding, Journals, Role, Scope } from './grants.js'

/** The name of a vault among the resources of its subscription. */
export const vaultName = (host: string): string => host.split(/[.:]/)[0] ?? host

/** What follows the id of the vault or of the storage account. */
export function tailOf(scope: Scope): string {
  if ('host' in scope) return scope.secret === undefined ? '' : `/secrets/${scope.secret}`
  return `/blobServices/default/containers/${scope.container}`
}

/** What a person recognises a resource by: its id from the provider on. */
export const shownScope = (scope: Scope): string =>
  'host' in scope
    ? `Microsoft.KeyVault/vaults/${vaultName(scope.host)}${tailOf(scope)}`
    : `Microsoft.Storage/storageAccounts/${scope.account ?? accountVariable}${tailOf(scope)}`

/** The variable of a shell for the account that nobody has named. */
export const accountVariable = 'STORAGE_ACCOUNT'

/** The vaults, each once. */
export const hostsIn = (bindings: readonly Binding[]): readonly string[] => [
  ...new Set(bindings.flatMap(({ scope }) => ('host' in scope ? [scope.host] : []))),
]
/** Where the journals are, if a grant is on that. */
export const journalsIn = (bindings: readonly Binding[]): Journals | undefined =>
  bindings.flatMap(({ scope }) => ('host' in scope ? [] : [scope]))[0]
/** The roles, each once. */
export const rolesIn = (bindings: readonly Binding[]): readonly Role[] => [...new Set(bindings.map(({ role }) => role))]

/** The parts of a label that say what a grant is on. */
export const labelParts = (scope: Scope): readonly string[] =>
  'host' in scope ? [shownVault(scope.host), ...(scope.secret === undefined ? [] : [scope.secret])] : ['container', scope.container]
