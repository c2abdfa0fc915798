import { RotationError } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import { Client } from './client.js'
import {
  asApiGroup,
  asClusterExternalSecret,
  asExternalSecret,
  asJob,
  asPod,
  asPods,
  asReview,
  asSecret,
  asStore,
  asWorkload,
  type ExternalSecret,
  type Job,
  type Pod,
  type Pods,
  type Secret,
  type Workload,
} from './objects.js'
import type { KubernetesSettings } from './settings.js'
import { beforeKey, changeKey, forceSyncKey } from './sync.js'
import { markTemplate, resourceOf, selectorText, type WorkloadRef } from './workload.js'

const group = 'external-secrets.io'
const podsMax = 500

/** One namespace of one cluster, in the words of this notifier. */
export class Cluster {
  readonly #client: Client
  readonly #settings: KubernetesSettings
  #version: string | undefined

  private constructor(client: Client, settings: KubernetesSettings) {
    this.#client = client
    this.#settings = settings
  }
  static async open(settings: KubernetesSettings, env: Env): Promise<Cluster> {
    return new Cluster(await Client.open(settings.cluster, settings.access, env, settings.timeoutMs), settings)
  }

  /** v1 is preferred; clusters before 0.17 serve v1beta1 alone. */
  async #operator(path: string): Promise<string> {
    if (this.#version === undefined) {
      const found = await this.#client.get(`/apis/${group}`)
      if (found === undefined) {
        throw new RotationError('bad_config', `The cluster ${this.#settings.cluster} does not serve ${group}.`, {
          field: `clusters.${this.#settings.cluster}`,
          next: 'Install External Secrets Operator there, or name another cluster.',
        })
      }
      const versions = asApiGroup(found).versions.map(({ version }) => version)
      this.#version = versions.includes('v1') ? 'v1' : 'v1beta1'
    }
    return `/apis/${group}/${this.#version}/${path}`
  }
  #in = (path: string): string => `namespaces/${this.#settings.namespace}/${path}`

  async externalSecret(name: string): Promise<ExternalSecret | undefined> {
    const found = await this.#client.get(await this.#operator(this.#in(`externalsecrets/${name}`)))
    return found === undefined ? undefined : asExternalSecret(found)
  }
  /** Our mark, and what was synced before it, in one write; false where the object changed since it was read. */
  async markExternalSecret({ metadata, status }: ExternalSecret, change: string): Promise<boolean> {
    const annotations = { [changeKey]: change, [beforeKey]: status?.syncedResourceVersion ?? '' }
    const { name, resourceVersion } = metadata
    const path = await this.#operator(this.#in(`externalsecrets/${name}`))
    return (await this.#client.patch(path, { metadata: { ...(resourceVersion ? { resourceVersion } : {}), annotations } })) !== undefined
  }
  async #parent(name: string) {
    const found = await this.#client.get(await this.#operator(`clusterexternalsecrets/${name}`))
    if (found === undefined) throw this.missing('ClusterExternalSecret', name)
    return asClusterExternalSecret(found)
  }
  async childName(parent: string): Promise<string> {
    const { metadata, spec } = await this.#parent(parent)
    return spec.externalSecretName ?? metadata.name
  }
  async parentMark(parent: string): Promise<string | undefined> {
    return (await this.#parent(parent)).metadata.annotations[forceSyncKey]
  }
  async markParent(parent: string, annotations: Readonly<Record<string, string>>): Promise<void> {
    await this.#client.patch(await this.#operator(`clusterexternalsecrets/${parent}`), { metadata: { annotations } })
  }

  async secret(name: string): Promise<Secret | undefined> {
    const found = await this.#client.get(`/api/v1/${this.#in(`secrets/${name}`)}`)
    return found === undefined ? undefined : asSecret(found)
  }
  /** `ready` undefined: it has no status; `controller`: the one class of operators that takes it up. */
  async storeState(kind: string, name: string): Promise<{ readonly ready: boolean | undefined; readonly controller: string }> {
    const path = kind === 'ClusterSecretStore' ? `clustersecretstores/${name}` : this.#in(`secretstores/${name}`)
    const found = await this.#client.get(await this.#operator(path))
    if (found === undefined) throw this.missing(kind, name)
    const { spec, status } = asStore(found)
    const condition = status?.conditions.find(({ type }) => type === 'Ready')
    return { ready: condition && condition.status === 'True', controller: spec.controller }
  }

  #workloadPath = (ref: WorkloadRef): string => `/apis/apps/v1/${this.#in(`${resourceOf(ref)}/${ref.name}`)}`
  async workload(ref: WorkloadRef): Promise<Workload> {
    const found = await this.#client.get(this.#workloadPath(ref))
    if (found === undefined) throw this.missing(ref.kind, ref.name)
    return asWorkload(found)
  }
  async restart(ref: WorkloadRef, change: string): Promise<void> {
    await this.#client.patch(this.#workloadPath(ref), markTemplate(change))
  }
  async job(ref: WorkloadRef): Promise<Job> {
    const found = await this.#client.get(`/apis/batch/v1/${this.#in(`jobs/${ref.name}`)}`)
    if (found === undefined) throw this.missing(ref.kind, ref.name)
    return asJob(found)
  }
  async pod(ref: WorkloadRef): Promise<Pod> {
    const found = await this.#client.get(`/api/v1/${this.#in(`pods/${ref.name}`)}`)
    if (found === undefined) throw this.missing(ref.kind, ref.name)
    return asPod(found)
  }
  /** Ends all pods of these templates at once, with their grace: one call, however many they are. */
  async endPods(workload: Workload, label: string, templates: readonly string[]): Promise<void> {
    const selector = `${selectorText(workload)},${label} in (${templates.join(',')})`
    await this.#client.delete(`/api/v1/${this.#in('pods')}?labelSelector=${encodeURIComponent(selector)}`)
  }
  /** All of them: more than one page cannot be said to be drained by its first. */
  async pods(workload: Workload): Promise<Pods> {
    const query = `labelSelector=${encodeURIComponent(selectorText(workload))}&limit=${podsMax}`
    const items: Pods['items'] = []
    for (let next = ''; ; ) {
      const page = asPods(
        await this.#client.get(`/api/v1/${this.#in('pods')}?${query}${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`),
      )
      items.push(...page.items)
      next = page.metadata.continue
      if (next === '') return { metadata: { continue: '' }, items }
    }
  }

  /** Whether this account may do it; asking needs no right. */
  async may(verb: string, apiGroup: string, resource: string, name?: string): Promise<boolean> {
    const attributes = { namespace: this.#settings.namespace, verb, group: apiGroup, resource, ...(name === undefined ? {} : { name }) }
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: attributes } }
    return asReview(await this.#client.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', body)).status.allowed
  }

  missing(kind: string, name: string): RotationError {
    const { cluster, namespace } = this.#settings
    const where = kind.startsWith('Cluster') ? `the cluster ${cluster}` : `the namespace ${namespace} of the cluster ${cluster}`
    return new RotationError('bad_config', `There is no ${kind} ${name} in ${where}.`, {
      field: 'targets',
      next: 'Correct the name or the namespace of this target, or create it.',
    })
  }
}
