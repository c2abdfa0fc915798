import { RotationError } from '../../core/errors.js'
import type { NotifierContext, Preflight } from '../../core/ports/notifier.js'
import { Cluster } from './cluster.js'
import { mappingOf, whyNoOneRead } from './expected.js'
import type { ExternalSecret } from './objects.js'
import type { KubernetesSettings } from './settings.js'
import { secretNameOf } from './sync.js'
import { isRestartable, ownerOf, resourceOf, whyNeverDone, workloadRef } from './workload.js'

type Refusal = Extract<Preflight, { readonly verdict: 'refuse' }>
const refuse = (why: string, next: string): Refusal => ({ verdict: 'refuse', why, next })

/** Looks at everything that an announcement will meet, and sends nothing. What is certainly wrong is refused, what cannot be reached is unknown. */
export async function preflight(wanted: KubernetesSettings, context: NotifierContext): Promise<Preflight> {
  const cluster = await Cluster.open(wanted, context)
  try {
    const name = wanted.clusterExternalSecret === undefined ? wanted.externalSecret : await cluster.childName(wanted.clusterExternalSecret)
    const externalSecret = name === undefined ? undefined : await cluster.externalSecret(name)
    if (externalSecret === undefined) throw cluster.missingError('ExternalSecret', name ?? '')
    return (
      whyNeverSynced(externalSecret, wanted) ??
      (await whyNoStore(externalSecret, cluster)) ??
      (await whyNoWorkload(wanted, cluster)) ??
      (await whyNoRight(externalSecret, wanted, cluster)) ??
      (await whyFrozen(externalSecret, cluster)) ?? { verdict: 'ok' }
    )
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    return cause.code === 'delivery_failed' ? { verdict: 'unknown', why: cause.message } : refuse(cause.message, cause.next)
  }
}

/** The operator ignores the request, or nothing could be shown of what it does with it. */
function whyNeverSynced({ metadata, spec, ...rest }: ExternalSecret, wanted: KubernetesSettings): Refusal | undefined {
  const shown = `The ExternalSecret ${metadata.name}`
  const parent = metadata.ownerReferences.find(({ kind }) => kind === 'ClusterExternalSecret')
  if (parent !== undefined && wanted.externalSecret !== undefined)
    return refuse(
      `${shown} is made by the ClusterExternalSecret ${parent.name}, which takes our mark away.`,
      `Name it: "clusterExternalSecret": "${parent.name}".`,
    )
  if (spec.refreshPolicy === 'CreatedOnce')
    return refuse(`${shown} is created once and never again (refreshPolicy).`, 'Set refreshPolicy to Periodic or OnChange.')
  if (spec.refreshPolicy === 'Periodic' && !/[1-9]/.test(spec.refreshInterval))
    return refuse(
      `${shown} has refreshInterval 0, with which the operator ignores requests.`,
      'Set refreshInterval to 1h, or refreshPolicy to OnChange.',
    )
  if (spec.target?.immutable) return refuse(`${shown} has an immutable target.`, 'Set target.immutable to false.')
  if (spec.target?.creationPolicy === 'None')
    return refuse(`${shown} writes no Secret (creationPolicy None).`, 'Set creationPolicy to Owner.')
  if ([...spec.data, ...spec.dataFrom].some(({ sourceRef }) => sourceRef?.generatorRef !== undefined))
    return refuse(
      `${shown} uses a generator: each request would mint another credential.`,
      'Take the generator out, or do not name this consumer.',
    )
  const torn = wanted.marker && whyNoOneRead({ metadata, spec, ...rest }, wanted.remoteKey ?? '')
  if (torn !== undefined)
    return refuse(`What ${shown} writes could not be verified: ${torn}.`, 'Read the secret with one entry of dataFrom.extract.')
  const mapping = mappingOf({ metadata, spec, ...rest }, wanted.remoteKey ?? '')
  // Which remote key it is by default only the secret's own name says, which is not known here.
  const certain = 'why' in mapping && (wanted.remoteKey !== undefined || mapping.key !== true)
  return 'why' in mapping && certain && wanted.marker === undefined
    ? refuse(
        `What ${shown} writes could not be verified: ${mapping.why}.`,
        'Use dataFrom.extract or data with the name of a field, without a template; or name a marker.',
      )
    : undefined
}

/** Each store that it reads: its own, and those of single entries. */
async function whyNoStore({ spec }: ExternalSecret, cluster: Cluster): Promise<Refusal | undefined> {
  const refs = [spec.secretStoreRef, ...[...spec.data, ...spec.dataFrom].map(({ sourceRef }) => sourceRef?.storeRef)]
  const shown = refs.flatMap((ref) => (ref?.name === undefined ? [] : [`${ref.kind} ${ref.name}`]))
  for (const each of new Set(shown)) {
    const [kind = '', name = ''] = each.split(' ')
    const refusal = await whyNotReady(kind, name, cluster)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

async function whyNotReady(kind: string, name: string, cluster: Cluster): Promise<Refusal | undefined> {
  const { ready, controller } = await cluster.storeState(kind, name)
  // An operator of another class skips it without a word.
  if (ready === undefined && controller !== '')
    return refuse(
      `The ${kind} ${name} is for the controller class ${controller}, and no operator has taken it up.`,
      'Start an operator with that --controller-class, or take spec.controller out.',
    )
  if (ready !== false) return undefined
  return refuse(`The ${kind} ${name} is not Ready.`, 'Look at its conditions (kubectl describe), and mend its access.')
}

/** The operator reports an error at each sync, and the old value stays. */
async function whyFrozen(externalSecret: ExternalSecret, cluster: Cluster): Promise<Refusal | undefined> {
  const name = secretNameOf(externalSecret)
  const secret = await cluster.secret(name)
  if (!secret?.immutable) return undefined
  return refuse(`The Secret ${name} is immutable: nobody can write another value into it.`, 'Delete it; the operator makes it again.')
}

async function whyNoWorkload({ workloads, restart }: KubernetesSettings, cluster: Cluster): Promise<Refusal | undefined> {
  for (const ref of workloads.map(workloadRef)) {
    if (!isRestartable(ref)) {
      if ((await cluster.resting(ref)) !== undefined) continue
      return refuse(`There is no ${ref.shown} in this namespace.`, 'Take it out of this consumer, or correct its name.')
    }
    const workload = await cluster.workload(ref)
    const owner = restart === 'none' ? undefined : ownerOf(workload)
    if (owner !== undefined)
      return refuse(
        `${ref.shown} is made by ${owner}, which would take our mark away.`,
        'Restart it there, and name it with "restart": "none".',
      )
    const never = restart === 'none' ? undefined : whyNeverDone(ref.kind, workload, restart)
    if (never !== undefined) return refuse(`${ref.shown} ${never}.`, 'Change that, or take it out of this consumer.')
  }
  return undefined
}

async function whyNoRight(externalSecret: ExternalSecret, wanted: KubernetesSettings, cluster: Cluster): Promise<Refusal | undefined> {
  const operator = 'external-secrets.io'
  const rights: (readonly [verb: string, group: string, resource: string, name?: string])[] = [
    wanted.clusterExternalSecret === undefined
      ? ['patch', operator, 'externalsecrets', externalSecret.metadata.name]
      : ['patch', operator, 'clusterexternalsecrets', wanted.clusterExternalSecret],
    ['get', '', 'secrets', secretNameOf(externalSecret)],
  ]
  for (const ref of wanted.workloads.map(workloadRef)) {
    if (isRestartable(ref) && wanted.restart === 'none') continue
    if (isRestartable(ref)) rights.push(['patch', 'apps', resourceOf(ref), ref.name])
    else rights.push(['get', ref.kind === 'Job' ? 'batch' : '', resourceOf(ref), ref.name])
  }
  // A Deployment with Recreate ends its pods itself.
  if (wanted.restart === 'together' && rights.some(([, , resource]) => ['statefulsets', 'daemonsets'].includes(resource)))
    rights.push(['deletecollection', '', 'pods'])
  if (rights.some(([, group]) => group === 'apps')) rights.push(['list', '', 'pods'])
  for (const [verb, group, resource, name] of rights)
    if (!(await cluster.may(verb, group, resource, name)))
      return refuse(
        `This account may not ${verb} ${resource}${name === undefined ? '' : ` ${name}`} in ${wanted.namespace}.`,
        'Grant it in its Role, or for cluster-wide kinds in a ClusterRole; infra/kubernetes has both.',
      )
  return undefined
}
