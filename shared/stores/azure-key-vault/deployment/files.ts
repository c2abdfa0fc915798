import { listsOf } from '../../../core/deployed-lists.js'
import { type Attribute, aligned, blockOf, text } from '../../../core/hcl.js'
import type { SecretName } from '../names.js'
import { vaultName } from '../permissions/scopes.js'
import { type Found, type Place, vaultsOf } from './found.js'

/** The files that are made for these secrets, as `terraform fmt` writes them. What deploys them is copied beside. */
export const filesOf = (place: Place, found: readonly Found[]): Readonly<Record<string, string>> => ({
  'main.tf': [...head, ...vaultLines(place, found), ...moduleLines(place, found), ...outputs].join('\n'),
  '.gitignore': ignored.join('\n'),
})

const head: readonly string[] = [
  '# Written by keyturn init azure, which reads it no more: change it as you like. Its state holds no value of a secret. Before a team applies it, add a',
  '# backend for that state.',
  ...blockOf('terraform', [
    '  required_version = ">= 1.5"',
    '',
    '  required_providers {',
    '    azurerm = {',
    ...aligned(
      [
        ['source', text('hashicorp/azurerm')],
        ['version', text('>= 4.55, < 5.0')],
      ],
      '      ',
    ),
    '    }',
    '  }',
  ]),
  '# Keys of the storage accounts do not count: the provider uses your own login there. ARM_SUBSCRIPTION_ID says which subscription.',
  ...blockOf('provider "azurerm"', ['  storage_use_azuread = true', '', '  features {}']),
]

const label = (vault: string): string => vault.replace(/-/g, '_')
const idOf = (vault: string): string => `data.azurerm_key_vault.${label(vault)}.id`
const secretIdOf = ({ host, secret }: SecretName): string => `"\${${idOf(vaultName(host))}}/secrets/${secret}"`
const administratorsOf = (found: readonly Found[]): readonly SecretName[] => found.flatMap(({ administrator }) => administrator ?? [])

/** All vaults that are named, which are there already. */
function vaultLines({ group, configuration }: Place, found: readonly Found[]): readonly string[] {
  const named = [...found.map(({ name }) => name), ...administratorsOf(found), ...(configuration === undefined ? [] : [configuration])]
  return vaultsOf(named).flatMap((vault) =>
    blockOf(
      `data "azurerm_key_vault" "${label(vault)}"`,
      aligned([
        ['name', text(vault)],
        ['resource_group_name', text(group)],
      ]),
    ),
  )
}

function moduleLines({ region, prefix, configuration }: Place, found: readonly Found[]): readonly string[] {
  const administrators = [...new Set(administratorsOf(found).map(secretIdOf))]
  const attributes: readonly Attribute[] = [
    ['source', text('./keyturn')],
    ['location', text(region)],
    ['prefix', text(prefix)],
    ['archive', `"\${path.module}/functions/app.zip"`],
    ...(administrators.length === 0 ? [] : [['administrators', `[${administrators.join(', ')}]`] as const]),
    ...(configuration === undefined ? [] : [['configuration', secretIdOf(configuration)] as const]),
    ...listsOf(found),
  ]
  const vaults = vaultsOf(found.map(({ name }) => name)).map(
    (vault): Attribute => [text(vault), `{ id = ${idOf(vault)}, location = data.azurerm_key_vault.${label(vault)}.location }`],
  )
  return blockOf('module "keyturn"', [...aligned(attributes), '', '  vaults = {', ...aligned(vaults, '    '), '  }'])
}

const outputs: readonly string[] = ['staging_vault', 'storage_account', 'invoke_url', 'dead_letters', 'poison_queue'].flatMap((name) =>
  blockOf(`output "${name}"`, [`  value = module.keyturn.${name}`]),
)

const ignored: readonly string[] = ['.terraform/', '*.tfstate', '*.tfstate.*', '']
