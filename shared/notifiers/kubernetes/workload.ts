import type { Pods, Workload } from './objects.js'
import type { WorkloadKind } from './settings.js'
import { changeKey } from './sync.js'

/** `Deployment/web` in words and in the API. */
export interface WorkloadRef {
  readonly kind: WorkloadKind
  readonly name: string
  readonly shown: string
}
const plurals: Readonly<Record<WorkloadKind, string>> = { Deployment: 'deployments', StatefulSet: 'statefulsets', DaemonSet: 'daemonsets' }
export const resourceOf = ({ kind }: WorkloadRef): string => plurals[kind]

export function workloadRef(shown: string): WorkloadRef {
  const [kind = '', name = ''] = shown.split('/')
  return { kind: kind as WorkloadKind, name, shown } // the settings allow these three only
}

export const isMarked = ({ spec }: Workload, change: string): boolean => spec.template.metadata?.annotations[changeKey] === change
/** A new template is a new rollout; the same again changes nothing. */
export const markTemplate = (change: string): object => ({ spec: { template: { metadata: { annotations: { [changeKey]: change } } } } })

/** Why its pods are never all replaced by themselves. */
export function whyNeverDone({ spec }: Workload): string | undefined {
  if (spec.paused) return 'is paused'
  if (spec.updateStrategy?.type === 'OnDelete') return 'has the update strategy OnDelete: delete its pods yourself'
  return (spec.updateStrategy?.rollingUpdate?.partition ?? 0) > 0 ? 'has a partition: pods below it keep the old template' : undefined
}

/** Whether the rollout of its present template is over. The observed generation comes first: until it moves the rest is of the template before. */
export function isRolledOut(kind: WorkloadKind, { metadata, spec, status }: Workload): boolean {
  if (status === undefined || status.observedGeneration < metadata.generation) return false
  if (kind === 'DaemonSet')
    return status.updatedNumberScheduled === status.desiredNumberScheduled && status.numberAvailable === status.desiredNumberScheduled
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

export function selectorText({ spec }: Workload): string {
  const labels = Object.entries(spec.selector.matchLabels).map(([key, value]) => `${key}=${value}`)
  const expressions = spec.selector.matchExpressions.map(({ key, operator, values }) => {
    if (operator === 'In' || operator === 'NotIn') return `${key} ${operator.toLowerCase()} (${values.join(',')})`
    return operator === 'Exists' ? key : `!${key}`
  })
  return [...labels, ...expressions].join(',')
}

/** Pods that started before the restart, those that are ending included; those that ended for good stay as objects and use nothing. */
export const oldPods = ({ items }: Pods, change: string): readonly string[] =>
  items
    .filter(({ metadata, status }) => metadata.annotations[changeKey] !== change && !['Failed', 'Succeeded'].includes(status?.phase ?? ''))
    .map(({ metadata }) => metadata.name)
