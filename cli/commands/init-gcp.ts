import { Command } from 'commander'
import { writeDeployment } from '../../shared/app/deployment.js'
import type { App } from '../../shared/app/wire.js'
import { RotationError } from '../../shared/core/errors.js'
import { optional } from '../../shared/core/optional.js'
import type { Policy } from '../../shared/core/ports/words.js'
import { action } from '../context.js'
import { installation } from '../installation.js'
import { keyValues } from '../key-values.js'

interface InitOptions {
  readonly region: string
  readonly folder: string
  readonly invoker?: string
  readonly rotator?: string
  readonly set?: readonly string[]
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
      action(async ({ app, output, terminal }, named: readonly string[], options: InitOptions) => {
        const { region, folder, invoker, rotator, set = [] } = options
        const refs = named.length > 0 ? named : await managed(app)
        const policy = policyOf(set, rotator)
        const deployment = await app.deployment('gcp', { refs, region, folder, policy, ...optional('invoker', invoker) })
        const files = await writeDeployment(deployment, folder, terminal.installation ?? installation(), app.env)
        const { commands, secrets } = deployment
        output.result(
          { folder, files: [...files], secrets: secrets.map(({ shown, adopted }) => ({ ref: shown, adopted })), commands: [...commands] },
          [
            `${folder} deploys the functions for ${secrets.map(({ shown }) => shown).join(', ')}. Read ${folder}/main.tf, then run:`,
            '',
            ...commands,
            '',
            'If terraform apply ends with "Cannot find metric(s)", run it again ten minutes later: a new metric is known to alerts only then.',
          ],
        )
      }),
    )

async function managed(app: App): Promise<readonly string[]> {
  const { store } = await app.deps('gcp:any')
  const refs: string[] = []
  for await (const { ref } of store.list({ managed: true })) refs.push(ref.shown)
  if (refs.length > 0) return refs.sort()
  throw new RotationError('bad_event', 'No secret is managed yet.', {
    field: 'refs',
    next: 'Name the secrets that the functions shall rotate, such as gcp:projects/shop/secrets/db.',
  })
}

/** A secret that has no policy yet has none to remove a key from. bad_event for two rotators. */
function policyOf(words: readonly string[], rotator: string | undefined): Policy {
  const set = Object.entries(keyValues(words)).filter((entry): entry is [string, string] => entry[1] !== null)
  const policy = { ...optional('keyturn-rotator', rotator), ...Object.fromEntries(set) }
  if (rotator === undefined || policy['keyturn-rotator'] === rotator) return policy
  throw new RotationError('bad_event', '--rotator and --set name two rotators.', { field: 'rotator', next: 'Name one of them.' })
}
