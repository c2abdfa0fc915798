import { Command } from 'commander'
import { action } from '../context.js'
import { type InitOptions, writeInit } from './init-deployment.js'

const platform = {
  kind: 'gcp',
  example: 'gcp:projects/shop/secrets/db',
  notes: [
    'If terraform apply ends with "Cannot find metric(s)", run it again ten minutes later: a new metric is known to alerts only then.',
  ],
}

/** Writes a folder for Terraform and prints the commands that follow. Nothing of the project is changed, and no value is read. */
export const initGcp = (): Command =>
  new Command('gcp')
    .description('write a folder that deploys the functions for secrets of Google Cloud, and print the commands to a rotated secret')
    .argument('[refs...]', 'the secrets, such as gcp:projects/shop/secrets/db; none: every managed one that keyturn list --store gcp shows')
    .requiredOption('--region <name>', 'where the functions are, such as europe-west3')
    .option('--folder <path>', 'the folder to write; it must be empty or not there', 'keyturn-gcp')
    .option('--invoker <principal>', 'who may call the function invoke, such as user:ann@example.com')
    .option('--rotator <kind>', 'of a secret that is not managed yet: kind of credential')
    .option('--set <policy...>', 'of a secret that is not managed yet: key=value, such as every=30d grace=2h')
    .addHelpText(
      'after',
      '\nBuild the functions first: npm run package:gcp.\n\nExample:\n  keyturn init gcp gcp:projects/shop/secrets/db --region europe-west3 --set every=30d grace=2h',
    )
    .action(
      action((context, named: readonly string[], options: InitOptions & { readonly invoker?: string }) =>
        writeInit(context, platform, named, options),
      ),
    )
