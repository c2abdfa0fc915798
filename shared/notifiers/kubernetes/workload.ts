import type { Pod, Pods, Workload } from './objects.js'
import type { WorkloadKind } from './settings.js'
import { isMarkedBy, type Mark } from './sync.js'

/** A workload such as `Deployment/web`. */
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
/** Whether we can restart it. Only its maker can start a Job or a bare pod again: they are looked at, and named while they run with the old value. */
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
/** The patch that marks a template, for one restart. A new template is a new rollout; the same marks again change nothing. */
export function markTemplate(marks: readonly Mark[]): object {
  const annotations = Object.fromEntries(marks.map(({ key, change }) => [key, change]))
  return { spec: { template: { metadata: { annotations } } } }
}

/** The controller that makes a workload. It keeps the template as it wants it: it would remove our mark, we would set it again, and each is a rollout. */
export function ownerOf({ metadata }: Workload): string | undefined {
  const owner = metadata.ownerReferences.find(({ controller }) => controller)
  return owner && `${owner.kind}/${owner.name}`
}

/** Why its pods are never all replaced by themselves. */
export function whyNeverDone(kind: WorkloadKind, { spec }: Workload, restart: 'rolling' | 'together' | 'none'): string | undefined {
  const { paused, strategy, updateStrategy } = spec
  const together = restart === 'together'
  if (paused) return 'is paused'
  // The old ReplicaSet would make the ended pods again. The server's own way to do this is Recreate.
  if (together && kind === 'Deployment' && strategy?.type !== 'Recreate')
    return 'restarts one after the other: with "restart": "together" it needs the strategy Recreate'
  // Once it is marked, its controller would begin to replace one pod after the other at once, whatever the window.
  if (together && kind !== 'Deployment' && updateStrategy?.type !== 'OnDelete')
    return 'restarts one after the other: with "restart": "together" it needs the update strategy OnDelete'
  if (updateStrategy?.type === 'OnDelete' && !together) return 'has the update strategy OnDelete: delete its pods yourself'
  const partition = updateStrategy?.rollingUpdate?.partition ?? 0
  return partition > 0 ? 'has a partition: pods below it keep the old template' : undefined
}

/** Whether the rollout of its present template is over. The observed generation is checked first: until it moves, the rest is about the old template. */
export function isRolledOut(kind: WorkloadKind, { metadata, spec, status }: Workload): boolean {
  if (status === undefined || status.observedGeneration < metadata.generation) return false
  const all = (...counts: number[]): boolean => counts.every((count) => count === spec.replicas)
  if (kind === 'DaemonSet') {
    const { desiredNumberScheduled, updatedNumberScheduled, numberAvailable } = status
    return updatedNumberScheduled === desiredNumberScheduled && numberAvailable === desiredNumberScheduled
  }
  if (kind === 'StatefulSet') {
    // With OnDelete its controller never calls the new revision the current one. Whether an old pod is left is asked separately.
    if (spec.updateStrategy?.type === 'OnDelete') return all(status.replicas, status.readyReplicas)
    return all(status.updatedReplicas, status.readyReplicas) && status.currentRevision === status.updateRevision
  }
  return all(status.updatedReplicas, status.replicas, status.availableReplicas)
}

/** Whether the server gave up on its rollout. The old pods keep serving then. */
export function isStuck({ status }: Workload): boolean {
  const progressing = status?.conditions.filter(({ type }) => type === 'Progressing') ?? []
  return progressing.some(({ status: is, reason }) => is === 'False' && reason === 'ProgressDeadlineExceeded')
}

/** Writes the selector as the API takes it in `labelSelector`. */
export function selectorText({ spec }: Workload): string {
  const labels = Object.entries(spec.selector.matchLabels).map(([key, value]) => `${key}=${value}`)
  const expressions = spec.selector.matchExpressions.map(({ key, operator, values }) => {
    if (operator === 'In' || operator === 'NotIn') return `${key} ${operator.toLowerCase()} (${values.join(',')})`
    return operator === 'Exists' ? key : `!${key}`
  })
  return [...labels, ...expressions].join(',')
}

/** Pods that started before the restart, including those that are ending. A pod that ended for good does not count. */
export const oldPods = ({ items }: Pods, mark: Mark): readonly Pod[] =>
  items.filter((pod) => !isOver(pod) && !isMarkedBy(pod.metadata.annotations, mark))
/** Whether the pod has ended for good: its object stays, and uses nothing. */
export const isOver = ({ status }: Pod): boolean => ['Failed', 'Succeeded'].includes(status?.phase ?? '')
/** Names a pod for people. Nothing replaces a pod without an owner, so the text says what to do. */
export function shownPod({ metadata: { name, ownerReferences } }: Pod): string {
  return ownerReferences.length > 0 ? name : `${name}, which no workload owns: delete it yourself`
}

/** Whether the workload owns a pod: a selector may find other pods, too. A Deployment's ReplicaSets are named after it and the hash of the template. */
export function isOwned({ metadata: { ownerReferences, labels } }: Pod, { metadata }: Workload): boolean {
  const replicaSet = `${metadata.name}-${labels['pod-template-hash']}`
  return ownerReferences.some(({ uid, kind, name }) => uid === metadata.uid || (kind === 'ReplicaSet' && name === replicaSet))
}

/** The label of pods of StatefulSets and DaemonSets that says which template they have. */
export const revisionLabel = 'controller-revision-hash'
/** The revisions of this workload's own old pods, by which they can be ended at once; none where all of them are ending already. */
export function revisionsOf(old: readonly Pod[], { metadata, status }: Workload): readonly string[] {
  const isOwn = (pod: Pod): boolean => pod.metadata.ownerReferences.some(({ uid }) => uid === metadata.uid)
  const own = old.filter((pod) => pod.metadata.deletionTimestamp === undefined && isOwn(pod))
  const revisions = own.flatMap((pod) => pod.metadata.labels[revisionLabel] ?? [])
  return [...new Set(revisions)].filter((revision) => revision !== status?.updateRevision).sort()
}
