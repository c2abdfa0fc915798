import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Deployment, DeploymentWish } from '../../core/ports/deployment.js'
import type { Policy } from '../../core/ports/words.js'
import { commandsOf } from './deployment/commands.js'
import { filesOf } from './deployment/files.js'
import type { Found, Place } from './deployment/found.js'
import { kind, oneLine, type SecretName } from './names.js'

/** What is asked of the store. */
export interface Look {
  read(text: string): Promise<{ readonly shown: string; readonly name: SecretName; readonly policy: Policy }>
  /** A secret that nobody is asked about. */
  nameOf(text: string): SecretName
}

/** The module of this version, the archive of its functions, and a main.tf for these secrets. As `Deployable` says. */
export async function prepareDeployment(wish: DeploymentWish, look: Look): Promise<Deployment> {
  const { folder, configuration, policy } = wish
  const place: Place = {
    region: checked(wish.region, /^[a-z][a-z0-9]*$/, 'region', '--region westeurope'),
    group: checked(wish.group, /^[\w.()-]{0,89}[\w()-]$/, 'group', '--group shop'),
    prefix: checked(wish.prefix, /^(?=.{4,16}$)[a-z](?:[a-z0-9]|-[a-z0-9])+$/, 'prefix', '--prefix shop-keyturn, with 4 to 16 characters'),
    folder,
    ...optional('configuration', ownName(configuration, 'KEYTURN_CONFIG', look)),
  }
  const found: Found[] = []
  for (const ref of wish.refs) found.push(await foundOf(ref, wish, look))
  assertEachOnce(found)
  if (Object.keys(policy).length > 0 && found.every(({ adopted }) => adopted)) throw adoptedError(found)
  return {
    secrets: found,
    files: filesOf(place, found),
    copied: [
      { from: 'infra/terraform/azure', to: 'keyturn', ending: '.tf' },
      { from: 'dist/functions/azure', to: 'functions', ending: '.zip' },
    ],
    built: { rotatorsFile: 'dist/functions/azure/rotators.json', command: 'npm run package:azure' },
    commands: commandsOf(place, found, policy),
  }
}

async function foundOf(text: string, { policy: wanted, moreFor }: DeploymentWish, look: Look): Promise<Found> {
  const { shown, name, policy: own } = await look.read(text)
  const adopted = Object.keys(own).length > 0
  const policy = adopted ? own : wanted
  return {
    shown,
    name,
    policy,
    adopted,
    ...optional('more', await moreFor(policy)),
    ...optional('administrator', ownName(policy['keyturn-admin'], 'keyturn-admin', look)),
  }
}

/** bad_event for what is missing or malformed; `example` as a person writes it. */
function checked(value: string | undefined, form: RegExp, field: string, example: string): string {
  if (value !== undefined && form.test(value)) return value
  throw new RotationError('bad_event', `"${oneLine(value ?? '')}" is not a ${field} of Azure.`, {
    field,
    next: `Write for example ${example}.`,
  })
}

function assertEachOnce(found: readonly Found[]): void {
  const twice = found.find(({ shown }, index) => found.findIndex((other) => other.shown === shown) !== index)
  if (twice === undefined) return
  throw new RotationError('bad_event', `${twice.shown} is named twice.`, { field: 'ref', next: 'Name each secret once.' })
}

/** The name of a secret of this store; undefined where none is named. bad_config for one of another store, which the functions cannot open. */
function ownName(text: string | undefined, field: string, { nameOf }: Look): SecretName | undefined {
  if (!text) return undefined
  if (text.startsWith(`${kind}:`)) return nameOf(text)
  throw new RotationError('bad_config', `${field} names ${text.split(':')[0]}:…, and the functions open only secrets of Azure Key Vault.`, {
    field,
    next: `Put it into a vault, and name it there: ${kind}:VAULT/NAME.`,
  })
}

const adoptedError = (found: readonly Found[]): RotationError =>
  new RotationError(
    'bad_event',
    `${found.map(({ shown }) => shown).join(' and ')} had a policy before: --rotator and --set have no effect on it.`,
    {
      field: 'set',
      next: 'Leave them out, and change a policy with keyturn policy.',
    },
  )
