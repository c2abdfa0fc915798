import { Command, Option } from 'commander'
import { RotationError } from '../../shared/core/errors.js'
import { optional } from '../../shared/core/optional.js'
import {
  type PermissionFormat,
  type PermissionsWish,
  type Principal,
  permissionFormats,
  principals,
} from '../../shared/core/ports/permissions.js'
import { action } from '../context.js'

interface PermissionsOptions {
  readonly for?: Principal
  readonly member?: string
  readonly format: PermissionFormat
  readonly admin?: string
  readonly destroysLater?: boolean
}

/** Prints the least that Keyturn needs on a secret, and how to grant it. Asks nobody. bad_event for a store that has nothing to grant. */
export const permissions = (): Command =>
  new Command('permissions')
    .description('print the permissions that a secret needs, as commands or for Terraform; the platform is not asked')
    .argument('<ref>', 'the secret, such as gcp:projects/shop/secrets/db')
    .addOption(new Option('--for <principal>', 'only those of one principal').choices(principals))
    .option(
      '--member <principal>',
      'with --for: who it is, such as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com; an object id on Azure',
    )
    .addOption(new Option('--format <format>', 'shell: commands of the platform’s own program').choices(permissionFormats).default('shell'))
    .option('--admin <ref>', "the administrator's secret that the policy names")
    .option('--destroys-later', 'the secret delays the destruction of its versions')
    .addHelpText(
      'after',
      '\nThe secret that KEYTURN_CONFIG names is among them.\n\nExample:\n  keyturn permissions gcp:projects/shop/secrets/db --for function --format terraform > permissions.tf',
    )
    .action(
      action(async ({ app, output }, refText: string, options: PermissionsOptions) => {
        const found = await app.permissions(wishOf(refText, options))
        const { shown, grants, notes } = found
        const lines = found.lines(options.format)
        const json = grants.map(({ only = null, permissions: names, ...grant }) => ({ ...grant, only, permissions: [...names] }))
        output.result({ ref: shown, format: options.format, grants: json, notes: [...notes], text: lines.join('\n') }, lines)
      }),
    )

function wishOf(refText: string, options: PermissionsOptions): PermissionsWish {
  const { for: one, member, admin, destroysLater = false } = options
  if (member !== undefined && one === undefined) {
    throw new RotationError('bad_event', '--member needs --for.', { field: 'member', next: 'Say with --for whose member it is.' })
  }
  return {
    refText,
    principals: one === undefined ? principals : [one],
    destroysLater,
    ...optional('member', member),
    ...optional('administrator', admin),
  }
}
