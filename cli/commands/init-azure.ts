import { Command } from 'commander'
import { action } from '../context.js'
import { type InitOptions, writeInit } from './init-deployment.js'

const platform = {
  kind: 'azure',
  example: 'azure:shop-prod/db',
  notes: ['A role counts some minutes after it was assigned: run again what is denied before that.'],
}

/** Writes a folder for Terraform and prints the commands that follow. Nothing of the subscription is changed, and no value is read. */
export const initAzure = (): Command =>
  new Command('azure')
    .description('write a folder that deploys the functions for secrets of Azure, and print the commands to a rotated secret')
    .argument('[refs...]', 'the secrets, such as azure:shop-prod/db; none: every managed one that keyturn list --store azure shows')
    .requiredOption('--region <name>', 'where the functions are, such as westeurope')
    .requiredOption('--group <name>', 'the resource group of the vaults')
    .requiredOption('--prefix <name>', 'how names begin that are unique in the world, such as shop-keyturn')
    .option('--folder <path>', 'the folder to write; it must be empty or not there', 'keyturn-azure')
    .option('--rotator <kind>', 'of a secret that is not managed yet: kind of credential')
    .option('--set <policy...>', 'of a secret that is not managed yet: key=value, such as every=30d grace=2h')
    .addHelpText(
      'after',
      '\nBuild the functions first: npm run package:azure.\n\nExample:\n  keyturn init azure azure:shop-prod/db --region westeurope --group shop --prefix shop-keyturn --set every=30d grace=2h',
    )
    .action(
      action((context, named: readonly string[], options: InitOptions & { readonly group: string; readonly prefix: string }) =>
        writeInit(context, platform, named, options),
      ),
    )
