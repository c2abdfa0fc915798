import { RotationError } from '../../core/errors.js'
import type { NotifierContext, Preflight } from '../../core/ports/notifier.js'
import { Cluster } from './cluster.js'
import { mappingOf, whyNoOneRead } from './expected.js'
import { frozenUse, shownFrozen } from './frozen-use.js'
import type { ExternalSecret } from './objects.js'
import { conditionAgainst, whyRefused } from './operator.js'
import type { KubernetesSettings } from './settings.js'
import { secretNameOf } from './sync.js'
import { isRestartable, ownerOf, resourceOf, whyNeverDone, workloadRef } from './workload.js'

type Refusal = Extract<Preflight, { readonly next: string }>
const refuse = (why: string, next: string): Refusal => ({ verdict: 'refuse', why, next })

/**
 * Looks at everything that an announcement will meet, and sends nothing. It refuses what is certainly wrong, and waits for what may pass by itself;
 * what it cannot reach is unknown.
 */
export async function preflight(wanted: KubernetesSettings, context: NotifierContext): Promise<Preflight> {
  const cluster = await Cluster.open(wanted, context)
  const { clusterExternalSecret: parent } = wanted
  try {
    const name = parent === undefined ? wanted.externalSecret : await cluster.childName(parent)
    const externalSecret = name === undefined ? undefined : await cluster.externalSecret(name)
    if (externalSecret === undefined) throw cluster.missingError('ExternalSecret', name ?? '')
    return (
      whyNeverSynced(externalSecret, wanted) ??
      (await whyNoStore(externalSecret, cluster)) ??
      (await whyNoWorkload(wanted, cluster, secretNameOf(externalSecret))) ??
      (await whyNoRight(externalSecret, wanted, cluster)) ??
      (await whyFrozen(externalSecret, cluster)) ??
      whyUnsynced(externalSecret) ?? { verdict: 'ok' }
    )
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    if (cause.code === 'delivery_failed') return { verdict: 'unknown', why: cause.message }
    return refuse(cause.message, cause.next)
  }
}

/** Why the operator ignores the request, or why nobody could verify what it does with it. */
function whyNeverSynced(externalSecret: ExternalSecret, wanted: KubernetesSettings): Refusal | undefined {
  return whyIgnored(externalSecret, wanted) ?? whyUnverifiable(externalSecret, wanted)
}

/**
 * Why the operator does not sync it at present, as its condition says: what it cannot sync now it would not sync after a rotation either. A target
 * that it refuses has to be corrected. Everything else may pass by itself, or once the operator is asked.
 */
function whyUnsynced(externalSecret: ExternalSecret): Refusal | undefined {
  const { metadata, status } = externalSecret
  if (!status?.conditions.some(({ type }) => type === 'Ready')) return undefined // a new one: the operator has not got to it
  const against = conditionAgainst(externalSecret)
  if (against === undefined) return undefined
  const why = `The ExternalSecret ${metadata.name} was not synced: ${against.why}.`
  const refusal = refuse(why, against.asks ? nextAsked : nextUnsynced)
  return { ...refusal, ...(against.fix ? {} : { verdict: 'wait' }), ...(against.asks ? { asks: true } : {}) }
}

const nextUnsynced = 'Look at its conditions and events (kubectl describe externalsecret), and fix what they name.'
const nextAsked = `${nextUnsynced} The operator does not try again by itself: keyturn sweep asks it to.`

function whyIgnored({ metadata, spec }: ExternalSecret, wanted: KubernetesSettings): Refusal | undefined {
  const shown = `The ExternalSecret ${metadata.name}`
  const parent = metadata.ownerReferences.find(({ kind }) => kind === 'ClusterExternalSecret')
  if (parent !== undefined && wanted.externalSecret !== undefined)
    return refuse(
      `The ClusterExternalSecret ${parent.name} makes the ExternalSecret ${metadata.name}, and removes our mark from it.`,
      `Name it: "clusterExternalSecret": "${parent.name}".`,
    )
  if (spec.refreshPolicy === 'CreatedOnce')
    return refuse(`${shown} is created once and never again (refreshPolicy).`, 'Set refreshPolicy to Periodic or OnChange.')
  if (spec.refreshPolicy === 'Periodic' && !/[1-9]/.test(spec.refreshInterval))
    return refuse(
      `${shown} has refreshInterval 0: the operator then ignores requests.`,
      'Set refreshInterval to 1h, or refreshPolicy to OnChange.',
    )
  if (spec.target?.manifest !== undefined)
    return refuse(
      `${shown} writes a ${spec.target.manifest.kind}, and no Secret (target.manifest).`,
      'Remove target.manifest, or name an ExternalSecret that writes a Secret.',
    )
  if (spec.target?.immutable) return refuse(`${shown} has an immutable target.`, 'Set target.immutable to false.')
  if (spec.target?.creationPolicy === 'None')
    return refuse(`${shown} writes no Secret (creationPolicy None).`, 'Set creationPolicy to Owner.')
  if ([...spec.data, ...spec.dataFrom].some(({ sourceRef }) => sourceRef?.generatorRef !== undefined))
    return refuse(
      `${shown} uses a generator: each request would mint another credential.`,
      'Remove the generator, or do not name this consumer.',
    )
  return undefined
}

function whyUnverifiable(externalSecret: ExternalSecret, wanted: KubernetesSettings): Refusal | undefined {
  const what = `What the ExternalSecret ${externalSecret.metadata.name} writes could not be verified`
  const { marker, remoteKey } = wanted
  const torn = marker && whyNoOneRead(externalSecret, remoteKey ?? '')
  if (torn !== undefined) return refuse(`${what}: ${torn}.`, 'Read the secret with one entry of dataFrom.extract.')
  const mapping = mappingOf(externalSecret, remoteKey ?? '')
  if (marker !== undefined || !('why' in mapping)) return undefined
  // The default remote key is the secret's own name, which is not known here.
  if (mapping.key === true && remoteKey === undefined) return undefined
  return refuse(`${what}: ${mapping.why}.`, 'Use dataFrom.extract or data with the name of a field, without a template; or name a marker.')
}

/** Why one of the stores that it reads cannot be used: its own, and those of single entries. */
async function whyNoStore({ spec }: ExternalSecret, cluster: Cluster): Promise<Refusal | undefined> {
  const entries = [...spec.data, ...spec.dataFrom]
  const refs = [spec.secretStoreRef, ...entries.map(({ sourceRef }) => sourceRef?.storeRef)]
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
  // An operator of another class ignores it silently.
  if (ready === undefined && controller !== '')
    return refuse(
      `The ${kind} ${name} is for the controller class ${controller}, and no operator has taken it up.`,
      'Start an operator with that --controller-class, or remove spec.controller.',
    )
  if (ready !== false) return undefined
  return refuse(`The ${kind} ${name} is not Ready.`, 'Look at its conditions (kubectl describe), and fix its access.')
}

/** Why the Secret keeps its old value: where it is immutable, or belongs to another ExternalSecret, the operator reports an error at each sync. */
async function whyFrozen(externalSecret: ExternalSecret, cluster: Cluster): Promise<Refusal | undefined> {
  const secret = await cluster.secret(secretNameOf(externalSecret))
  const refused = whyRefused(externalSecret, secret)
  if (refused === undefined) return undefined
  const next = secret?.immutable ? 'Delete it; the operator makes it again.' : 'Give one of the two another target.name.'
  return refuse(`The operator cannot write the value: ${refused}.`, next)
}

async function whyNoWorkload({ workloads, restart }: KubernetesSettings, cluster: Cluster, secret: string): Promise<Refusal | undefined> {
  for (const ref of workloads.map(workloadRef)) {
    if (!isRestartable(ref)) {
      if ((await cluster.resting(ref)) !== undefined) continue
      return refuse(`There is no ${ref.shown} in this namespace.`, 'Remove it from this consumer, or correct its name.')
    }
    const workload = await cluster.workload(ref)
    if (restart === 'none') {
      const use = frozenUse(workload, secret)
      if (use !== undefined) return refuse(`${shownFrozen(ref, use)}.`, nextFrozen)
      continue
    }
    const owner = ownerOf(workload)
    if (owner !== undefined)
      return refuse(
        `${owner} makes ${ref.shown}, and would remove our mark from it.`,
        'Restart it there, and name it with "restart": "none".',
      )
    const never = whyNeverDone(ref.kind, workload, restart)
    if (never !== undefined) return refuse(`${ref.shown} ${never}.`, 'Change that, or remove it from this consumer.')
  }
  return undefined
}

const nextFrozen =
  'Set "restart": "rolling", or mount the Secret as a volume without subPath. If another controller restarts it, use a consumer of the kind manual.'

type Right = readonly [verb: string, group: string, resource: string, name?: string]

async function whyNoRight(externalSecret: ExternalSecret, wanted: KubernetesSettings, cluster: Cluster): Promise<Refusal | undefined> {
  for (const [verb, group, resource, name] of rightsFor(externalSecret, wanted)) {
    if (await cluster.may(verb, group, resource, name)) continue
    const what = name === undefined ? resource : `${resource} ${name}`
    return refuse(
      `This account may not ${verb} ${what} in ${wanted.namespace}.`,
      'Grant it in its Role, or for cluster-wide kinds in a ClusterRole; infra/kubernetes has both.',
    )
  }
  return undefined
}

function rightsFor(externalSecret: ExternalSecret, wanted: KubernetesSettings): readonly Right[] {
  const operator = 'external-secrets.io'
  const { clusterExternalSecret: parent, restart, workloads } = wanted
  const rights: Right[] = [
    parent === undefined
      ? ['patch', operator, 'externalsecrets', externalSecret.metadata.name]
      : ['patch', operator, 'clusterexternalsecrets', parent],
    ['get', '', 'secrets', secretNameOf(externalSecret)],
  ]
  const refs = workloads.map(workloadRef)
  for (const ref of refs) {
    const resource = resourceOf(ref)
    if (!isRestartable(ref)) rights.push(['get', ref.kind === 'Job' ? 'batch' : '', resource, ref.name])
    else if (restart !== 'none') rights.push(['patch', 'apps', resource, ref.name])
  }
  // A Deployment with Recreate ends its pods itself.
  const endsPods = rights.some(([, , resource]) => resource === 'statefulsets' || resource === 'daemonsets')
  if (restart === 'together' && endsPods) rights.push(['deletecollection', '', 'pods'])
  if (rights.some(([, group]) => group === 'apps')) rights.push(['list', '', 'pods'])
  return rights
}
