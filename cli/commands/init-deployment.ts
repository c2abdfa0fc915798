import { writeDeployment } from '../../shared/app/deployment.js'
import type { App } from '../../shared/app/wire.js'
import { RotationError } from '../../shared/core/errors.js'
import { optional } from '../../shared/core/optional.js'
import type { DeploymentWish } from '../../shared/core/ports/deployment.js'
import type { Policy } from '../../shared/core/ports/words.js'
import type { Run } from '../context.js'
import { installation } from '../installation.js'
import { keyValues } from '../key-values.js'

/** What is asked for at the command line, for every platform. */
export interface InitOptions {
  readonly region: string
  readonly folder: string
  readonly rotator?: string
  readonly set?: readonly string[]
}
/** What a platform adds. */
type More = Partial<Pick<DeploymentWish, 'invoker' | 'group' | 'prefix'>>

/** Writes the folder and prints the commands that follow, then `notes`. `example`: a ref of the store. */
export async function writeInit(
  { app, output, terminal }: Run,
  { kind, example, notes }: { readonly kind: string; readonly example: string; readonly notes: readonly string[] },
  named: readonly string[],
  { region, folder, rotator, set = [], ...more }: InitOptions & More,
): Promise<void> {
  const refs = named.length > 0 ? named : await managed(app, kind, example)
  const deployment = await app.deployment(kind, { refs, region, folder, policy: policyOf(set, rotator), ...more })
  const files = await writeDeployment(deployment, folder, terminal.installation ?? installation(), app.env)
  const { commands, secrets } = deployment
  output.result(
    { folder, files: [...files], secrets: secrets.map(({ shown, adopted }) => ({ ref: shown, adopted })), commands: [...commands] },
    [
      `${folder} deploys the functions for ${secrets.map(({ shown }) => shown).join(', ')}. Read ${folder}/main.tf, then run:`,
      '',
      ...commands,
      '',
      ...notes,
    ],
  )
}

async function managed(app: App, kind: string, example: string): Promise<readonly string[]> {
  const { store } = await app.deps(`${kind}:any`)
  const refs: string[] = []
  for await (const { ref } of store.list({ managed: true })) refs.push(ref.shown)
  if (refs.length > 0) return refs.sort()
  throw new RotationError('bad_event', 'No secret is managed yet.', {
    field: 'refs',
    next: `Name the secrets that the functions shall rotate, such as ${example}.`,
  })
}

/** A secret that has no policy yet has none to remove a key from. bad_event for two rotators. */
function policyOf(words: readonly string[], rotator: string | undefined): Policy {
  const set = Object.entries(keyValues(words)).filter((entry): entry is [string, string] => entry[1] !== null)
  const policy = { ...optional('keyturn-rotator', rotator), ...Object.fromEntries(set) }
  if (rotator === undefined || policy['keyturn-rotator'] === rotator) return policy
  throw new RotationError('bad_event', '--rotator and --set name two rotators.', { field: 'rotator', next: 'Name one of them.' })
}
