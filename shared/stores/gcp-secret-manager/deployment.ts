import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Deployment, DeploymentWish } from '../../core/ports/deployment.js'
import { commandsOf } from './deployment/commands.js'
import { filesOf } from './deployment/files.js'
import type { Found, Place } from './deployment/found.js'
import { assertMember } from './member.js'
import { kind, readSecret, resourceOf, type SecretName } from './names.js'
import { isNumber } from './permissions/names.js'

/** What is asked of the store. */
export interface Look {
  read(text: string): Promise<Pick<Found, 'shown' | 'policy' | 'destroysLater'>>
  /** The full name of a secret that nobody is asked about. */
  nameOf(text: string): Promise<SecretName>
}

/** The module of this version, the archives of its functions, and a main.tf for these secrets. As `Deployable` says. */
export async function prepareDeployment(wish: DeploymentWish, look: Look): Promise<Deployment> {
  const { region, invoker, folder, configuration, policy } = wish
  if (!/^[a-z][a-z0-9-]*$/.test(region)) throw regionError(region)
  if (invoker !== undefined) assertMember(invoker, 'invoker')
  const found: Found[] = []
  for (const ref of wish.refs) found.push(await foundOf(ref, wish, look))
  assertEachOnce(found)
  if (Object.keys(policy).length > 0 && found.every(({ adopted }) => adopted)) throw adoptedError(found)
  const place: Place = {
    project: projectOf(found),
    region,
    folder,
    ...optional('invoker', invoker),
    ...optional('configuration', configuration && (await ownResource(configuration, 'KEYTURN_CONFIG', look))),
  }
  return {
    secrets: found,
    files: filesOf(place, found),
    copied: [
      { from: 'infra/terraform/gcp', to: 'keyturn', ending: '.tf' },
      { from: 'dist/functions/gcp', to: 'functions', ending: '.zip' },
    ],
    built: { rotatorsFile: 'dist/functions/gcp/rotators.json', command: 'npm run package:gcp' },
    commands: commandsOf(place, found, policy),
  }
}

async function foundOf(text: string, { policy: wanted, moreFor }: DeploymentWish, look: Look): Promise<Found> {
  const { policy: own, ...read } = await look.read(text)
  const adopted = Object.keys(own).length > 0
  const policy = adopted ? own : wanted
  const administrator = policy['keyturn-admin'] || undefined
  return {
    ...read,
    name: readSecret(read.shown),
    policy,
    adopted,
    ...optional('more', await moreFor(policy)),
    ...optional('administrator', administrator && (await ownResource(administrator, 'keyturn-admin', look))),
  }
}

/** The one project of all of them, by its id: the module makes names of it. */
function projectOf(found: readonly Found[]): string {
  const [project = '', ...others] = [...new Set(found.map(({ name }) => name.project))]
  if (others.length > 0) {
    throw new RotationError('bad_event', `The secrets are in ${[project, ...others].join(' and ')}; a deployment is for one project.`, {
      field: 'ref',
      next: 'Run keyturn init gcp once for each project, each with a folder of its own.',
    })
  }
  if (!isNumber(project)) return project
  throw new RotationError('bad_event', `${project} is the number of a project; names are made of its id.`, {
    field: 'ref',
    next: `Find the id with gcloud projects describe ${project} --format='value(projectId)', and name the secrets with it.`,
  })
}

/** The module knows a secret by its id, so that it has no room for a second one with the same id in another location. */
function assertEachOnce(found: readonly Found[]): void {
  const twice = found.find(({ name }, index) => found.findIndex((other) => other.name.secret === name.secret) !== index)
  if (twice === undefined) return
  throw new RotationError(
    'bad_event',
    `Two of the secrets have the id ${twice.name.secret}; the module of Terraform knows a secret by its id.`,
    {
      field: 'ref',
      next: 'Name each secret once. For one id in two locations, run keyturn init gcp twice, and give the second module a prefix and a role_prefix.',
    },
  )
}

/** The full name of a secret of this store. bad_config for one of another store, which the functions cannot open. */
async function ownResource(text: string, field: string, { nameOf }: Look): Promise<string> {
  if (text.startsWith(`${kind}:`)) {
    const name = await nameOf(text)
    if (name.location === undefined) return resourceOf(name)
    throw new RotationError('bad_config', `${field} names a regional secret, which the module of Terraform grants nothing on.`, {
      field,
      next: 'Name a global one, or write the grants beside the module yourself: keyturn permissions prints them.',
    })
  }
  throw new RotationError('bad_config', `${field} names ${text.split(':')[0]}:…, and the functions open only secrets of Google Cloud.`, {
    field,
    next: `Put it into Secret Manager, and name it there: ${kind}:projects/PROJECT/secrets/NAME.`,
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
const regionError = (text: string): RotationError =>
  new RotationError('bad_event', `"${text}" is not one region.`, { field: 'region', next: 'Write for example --region europe-west3.' })
