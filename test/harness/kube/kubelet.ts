import { setTimeout as delay } from 'node:timers/promises'
import type { Json, KubeApi, Meta } from './api.js'

interface Pod {
  readonly metadata: Meta
  readonly spec: { readonly nodeName?: string }
  readonly status?: { readonly phase?: string; readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

/** Binds pods, makes them Ready, and ends those that are to be deleted a while later: there is no kubelet and no scheduler. */
export class Kubelet {
  /** How long a pod goes on after it was told to end. */
  endMs: number
  /** Told of each pod when it runs, and when it is gone. */
  onStart: (pod: Pod) => Promise<void> = async () => {}
  onEnd: (pod: Pod) => Promise<void> = async () => {}
  /** New pods never get Ready. */
  broken = false
  readonly #api: KubeApi
  readonly #pods: string
  readonly #ending = new Map<string, number>()
  #running: Promise<void> | undefined
  #stopped = false

  constructor(api: KubeApi, namespace: string, endMs: number) {
    this.#api = api
    this.#pods = `/api/v1/namespaces/${namespace}/pods`
    this.endMs = endMs
  }
  /** DaemonSets want a node. */
  async makeNode(): Promise<void> {
    await this.#api.must('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'here' } })
    await this.#api.patch('/api/v1/nodes/here', { spec: { taints: null } })
  }
  start(): void {
    this.#running = this.#loop()
  }
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      const { items = [] } = await this.#api.must('GET', this.#pods)
      for (const item of items as readonly (Json & Pod)[]) await this.#visit(item)
      await delay(20)
    }
  }

  async #visit(pod: Pod): Promise<void> {
    const { name, uid = '', deletionTimestamp } = pod.metadata
    const path = `${this.#pods}/${name}`
    if (pod.spec.nodeName === undefined) {
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target: { kind: 'Node', name: 'here' } }
      await this.#api.call('POST', `${path}/binding`, binding) // 404 and 409 when it is gone meanwhile
    } else if (deletionTimestamp !== undefined) {
      const since = this.#ending.get(uid) ?? Date.now()
      this.#ending.set(uid, since)
      if (Date.now() - since < this.endMs) return
      const options = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions: { uid } }
      await this.onEnd(pod)
      await this.#api.call('DELETE', path, options)
    } else if (!this.broken && !pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')) {
      await this.onStart(pod)
      const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }]
      const status = { status: { phase: 'Running', podIP: '10.1.0.1', podIPs: [{ ip: '10.1.0.1' }], conditions } }
      await this.#api.call('PATCH', `${path}/status`, status, 'application/merge-patch+json')
    }
  }
}
