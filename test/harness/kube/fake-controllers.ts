import { createHash } from 'node:crypto'
import type { FakeObject, FakeStore } from './fake-store.js'

interface Spec {
  readonly replicas?: number
  readonly paused?: boolean
  readonly progressDeadlineSeconds?: number
  readonly strategy?: { readonly type?: string }
  readonly updateStrategy?: { readonly type?: string; readonly rollingUpdate?: { readonly partition?: number } }
  readonly template: {
    readonly metadata?: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> }
    readonly spec?: unknown
  }
}
const kinds = ['deployments', 'statefulsets', 'daemonsets'] as const
const isReady = ({ status }: FakeObject): boolean =>
  ((status?.conditions ?? []) as { type: string; status: string }[]).some(({ type, status: is }) => type === 'Ready' && is === 'True')
const isEnding = ({ metadata }: FakeObject): boolean => metadata.deletionTimestamp !== undefined

/** When a rollout that is not over was seen first. */
const since = new Map<string, number>()
function progressOf({ metadata }: FakeObject, { progressDeadlineSeconds: seconds = 600 }: Spec, over: boolean): object {
  const key = `${metadata.uid} ${metadata.generation}`
  if (over) {
    since.delete(key)
    return {}
  }
  const first = since.get(key) ?? Date.now()
  since.set(key, first)
  const late = Date.now() - first > seconds * 1000
  return { conditions: late ? [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }] : [] }
}

let made = 0
/** Rollouts as the controller manager does them, as far as is seen from outside: new pods first, then the old ones are told to end, one look later. */
export function control(store: FakeStore): void {
  for (const [collection] of store.collections) {
    const kind = kinds.find((one) => collection.startsWith('/apis/apps/v1/') && collection.endsWith(`/${one}`))
    if (kind !== undefined) for (const one of store.list(collection)) rollOut(store, collection, kind, one)
  }
}

function rollOut(store: FakeStore, collection: string, kind: (typeof kinds)[number], workload: FakeObject): void {
  const { metadata } = workload
  const spec = workload.spec as unknown as Spec
  const pods = collection.replace('/apis/apps/v1', '/api/v1').replace(`/${kind}`, '/pods')
  const template = JSON.stringify(spec.template)
  const own = () => store.list(pods).filter((pod) => pod.metadata.ownerReferences?.[0]?.uid === metadata.uid)
  const isNew = (pod: FakeObject): boolean => pod.template === template
  const wanted = kind === 'daemonsets' ? 1 : (spec.replicas ?? 1)
  const kept = kind === 'statefulsets' ? (spec.updateStrategy?.rollingUpdate?.partition ?? 0) : 0
  const frozen = spec.paused === true || spec.updateStrategy?.type === 'OnDelete'
  const first = own().length === 0
  if (!frozen || first) {
    const fresh = own().filter((pod) => isNew(pod) && !isEnding(pod))
    if (spec.strategy?.type === 'Recreate' && own().some((pod) => !isNew(pod))) {
      for (const pod of own()) if (!isNew(pod) && !isEnding(pod)) tellToEnd(store, pods, pod)
      return
    }
    const target = first ? wanted : wanted - kept
    for (let count = fresh.length; count < target; count++) makePod(store, pods, workload, spec, template)
    const leaving = own().filter((pod) => !isNew(pod) && !isEnding(pod))
    if (fresh.length >= target && fresh.every(isReady)) for (const pod of leaving.slice(kept)) tellToEnd(store, pods, pod)
  }
  const here = own().filter((pod) => !isEnding(pod))
  const fresh = here.filter(isNew)
  const status = {
    observedGeneration: metadata.generation,
    replicas: here.length,
    updatedReplicas: fresh.length,
    readyReplicas: here.filter(isReady).length,
    availableReplicas: here.filter(isReady).length,
    updateRevision: template.length.toString(36) + metadata.generation,
    currentRevision: fresh.length === wanted ? template.length.toString(36) + metadata.generation : 'before',
    desiredNumberScheduled: wanted,
    updatedNumberScheduled: fresh.length,
    numberAvailable: here.filter(isReady).length,
    conditions: [],
    ...progressOf(workload, spec, fresh.length === wanted && fresh.every(isReady) && here.length === wanted),
  }
  store.patch(collection, metadata.name, { status }, 'status')
}

function makePod(store: FakeStore, pods: string, { metadata, kind = '' }: FakeObject, spec: Spec, template: string): void {
  const { labels = {}, annotations = {} } = spec.template.metadata ?? {}
  const name = `${metadata.name}-${++made}`
  const ownerReferences = [{ kind, name: metadata.name, uid: metadata.uid }]
  const hash = createHash('sha256').update(template).digest('hex').slice(0, 10)
  const own = { ...labels, [kind === 'Deployment' ? 'pod-template-hash' : 'controller-revision-hash']: hash }
  store.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: own, annotations, ownerReferences }, spec: {}, template })
}
export function tellToEnd(store: FakeStore, pods: string, pod: FakeObject): void {
  store.put(pods, pod, { ...pod, metadata: { ...pod.metadata, deletionTimestamp: new Date().toISOString() } })
}
