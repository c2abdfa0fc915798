import type { Pod, Pods, Workload } from './objects.js'
import type { WorkloadKind } from './settings.js'
import { isMarkedBy, type Mark } from './sync.js'

/** `Deployment/web` in words and in the API. */
export interface WorkloadRef {
  readonly kind: WorkloadKind
  readonly name: string
  readonly shown: string
}
const plurals: Readonly<Record<WorkloadKind, string>> = {
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
  Job: 'jobs',
  Pod: 'pods',
}
/** Nobody but whoever made them can start them anew: they are looked at, and named while they go on with what they read. */
export const isRestartable = ({ kind }: WorkloadRef): boolean => kind !== 'Job' && kind !== 'Pod'
/** The plural that paths of the API use. */
export const resourceOf = ({ kind }: WorkloadRef): string => plurals[kind]

/** Splits `Kind/name` and checks neither part: the form of the settings has done so. */
export function workloadRef(shown: string): WorkloadRef {
  const [kind = '', name = ''] = shown.split('/')
  return { kind: kind as WorkloadKind, name, shown } // the settings allow these only
}

/** Whether the pod template has the mark of this change. */
export const isMarked = ({ spec }: Workload, mark: Mark): boolean => isMarkedBy(spec.template.metadata?.annotations, mark)
/** A new template is a new rollout; the same again changes nothing. */
export const markTemplate = ({ key, change }: Mark): object => ({ spec: { template: { metadata: { annotations: { [key]: change } } } } })

/** What makes a workload keeps its template as it wants it: our mark would be taken away, and set again, and each is a rollout. */
export function ownerOf({ metadata }: Workload): string | undefined {
  const owner = metadata.ownerReferences.find(({ controller }) => controller)
  return owner && `${owner.kind}/${owner.name}`
}

/** Why its pods are never all replaced by themselves. */
export function whyNeverDone(kind: WorkloadKind, { spec }: Workload, restart: 'rolling' | 'together' | 'none'): string | undefined {
  if (spec.paused) return 'is paused'
  // The ReplicaSet of before would make again what is ended; Recreate is the server's own way of this.
  if (restart === 'together' && kind === 'Deployment' && spec.strategy?.type !== 'Recreate')
    return 'restarts one after the other: with "restart": "together" it needs the strategy Recreate'
  // With its mark the controller would begin to replace one after the other, at once, whatever the window.
  if (restart === 'together' && kind !== 'Deployment' && spec.updateStrategy?.type !== 'OnDelete')
    return 'restarts one after the other: with "restart": "together" it needs the update strategy OnDelete'
  if (spec.updateStrategy?.type === 'OnDelete' && restart !== 'together')
    return 'has the update strategy OnDelete: delete its pods yourself'
  return (spec.updateStrategy?.rollingUpdate?.partition ?? 0) > 0 ? 'has a partition: pods below it keep the old template' : undefined
}

/** Whether the rollout of its present template is over. The observed generation comes first: until it moves the rest is of the template before. */
export function isRolledOut(kind: WorkloadKind, { metadata, spec, status }: Workload): boolean {
  if (status === undefined || status.observedGeneration < metadata.generation) return false
  if (kind === 'DaemonSet')
    return status.updatedNumberScheduled === status.desiredNumberScheduled && status.numberAvailable === status.desiredNumberScheduled
  // With OnDelete its controller never calls the new revision the current one; that no pod of before is left is asked besides.
  if (kind === 'StatefulSet' && spec.updateStrategy?.type === 'OnDelete')
    return status.replicas === spec.replicas && status.readyReplicas === spec.replicas
  if (kind === 'StatefulSet')
    return (
      status.updatedReplicas === spec.replicas && status.readyReplicas === spec.replicas && status.currentRevision === status.updateRevision
    )
  return status.updatedReplicas === spec.replicas && status.replicas === spec.replicas && status.availableReplicas === spec.replicas
}

/** The server gave up on it; the pods of before keep serving. */
export const isStuck = ({ status }: Workload): boolean =>
  status?.conditions.some(
    ({ type, status: is, reason }) => type === 'Progressing' && is === 'False' && reason === 'ProgressDeadlineExceeded',
  ) === true

/** Writes the selector as the API takes it in `labelSelector`. */
export function selectorText({ spec }: Workload): string {
  const labels = Object.entries(spec.selector.matchLabels).map(([key, value]) => `${key}=${value}`)
  const expressions = spec.selector.matchExpressions.map(({ key, operator, values }) => {
    if (operator === 'In' || operator === 'NotIn') return `${key} ${operator.toLowerCase()} (${values.join(',')})`
    return operator === 'Exists' ? key : `!${key}`
  })
  return [...labels, ...expressions].join(',')
}

/** Pods that started before the restart, those that are ending included; those that ended for good stay as objects and use nothing. */
export const oldPods = ({ items }: Pods, mark: Mark): readonly Pod[] =>
  items.filter((pod) => !isOver(pod) && !isMarkedBy(pod.metadata.annotations, mark))
/** The pod has ended for good: its object stays, and uses nothing. */
export const isOver = ({ status }: Pod): boolean => ['Failed', 'Succeeded'].includes(status?.phase ?? '')
/** Names a pod for people. One without an owner is replaced by nobody, so the text says what to do. */
export const shownPod = ({ metadata }: Pod): string =>
  metadata.ownerReferences.length > 0 ? metadata.name : `${metadata.name}, which no workload owns: delete it yourself`

/** A selector may find pods of others, too. Those of a Deployment are its ReplicaSets', which are called by its name and the hash of the template. */
export const isOwned = ({ metadata: { ownerReferences, labels } }: Pod, { metadata }: Workload): boolean =>
  ownerReferences.some(
    ({ uid, kind, name }) => uid === metadata.uid || (kind === 'ReplicaSet' && name === `${metadata.name}-${labels['pod-template-hash']}`),
  )

/** What StatefulSets and DaemonSets write on their pods: which template they are of. */
export const revisionLabel = 'controller-revision-hash'
/** The revisions by which this workload's own pods of before can be told to end at once; none where all of them were told already. */
export function revisionsOf(old: readonly Pod[], { metadata, status }: Workload): readonly string[] {
  const own = old.filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && pod.metadata.ownerReferences.some(({ uid }) => uid === metadata.uid),
  )
  const revisions = own.flatMap((pod) => pod.metadata.labels[revisionLabel] ?? [])
  return [...new Set(revisions)].filter((revision) => revision !== status?.updateRevision).sort()
}
