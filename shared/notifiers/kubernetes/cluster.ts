import { codeOf, RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { NotifierContext } from '../../core/ports/notifier.js'
import { Client } from '../../kubernetes/client.js'
import {
  asApiGroup,
  asClusterExternalSecret,
  asExternalSecret,
  asPods,
  asResting,
  asReview,
  asSecret,
  asStore,
  asWorkload,
  type ExternalSecret,
  type Pods,
  type Resting,
  type Secret,
  type Workload,
} from './objects.js'
import type { KubernetesSettings } from './settings.js'
import { forceSyncKey, hasToken, type Mark, withToken } from './sync.js'
import { isMarked, markTemplate, resourceOf, revisionLabel, selectorText, type WorkloadRef } from './workload.js'

const group = 'external-secrets.io'
/** A page: a pod with sidecars and its managed fields may take tens of kilobytes, and an answer 8 MiB. */
const podsMax = 100

/** One namespace of one cluster, in the words of this notifier. */
export class Cluster {
  readonly #client: Client
  readonly #settings: KubernetesSettings
  readonly #deadline: number
  #version: string | undefined

  private constructor(client: Client, settings: KubernetesSettings, deadline: number) {
    this.#client = client
    this.#settings = settings
    this.#deadline = deadline
  }
  /** No call goes on after the deadline, however many of them a look needs. */
  static async open(settings: KubernetesSettings, { env, deadline }: NotifierContext): Promise<Cluster> {
    return new Cluster(await Client.open(settings.cluster, settings.access, env, settings.timeoutMs), settings, deadline)
  }
  #get = (path: string): Promise<unknown> => this.#client.get(path, this.#deadline)
  #patch = (path: string, body: object): Promise<unknown> => this.#client.patch(path, body, this.#deadline)
  /** The server's clock, as its last answer said it; undefined where it says none. */
  get serverNow(): number | undefined {
    return this.#client.serverNow
  }

  /** v1 is preferred; clusters before 0.17 serve v1beta1 alone. */
  async #operator(path: string): Promise<string> {
    if (this.#version === undefined) {
      const found = await this.#get(`/apis/${group}`)
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
    const found = await this.#get(await this.#operator(this.#in(`externalsecrets/${name}`)))
    return found === undefined ? undefined : asExternalSecret(found)
  }
  /** Our mark, and what was synced before it, in one write; false where the object changed since it was read. */
  async markExternalSecret({ metadata, status }: ExternalSecret, mark: Mark): Promise<boolean> {
    const annotations = { [mark.key]: mark.change, [mark.before]: status?.syncedResourceVersion ?? '' }
    const { name, resourceVersion } = metadata
    const path = await this.#operator(this.#in(`externalsecrets/${name}`))
    return (await this.#patch(path, { metadata: { ...(resourceVersion ? { resourceVersion } : {}), annotations } })) !== undefined
  }
  async #parent(name: string) {
    const found = await this.#get(await this.#operator(`clusterexternalsecrets/${name}`))
    if (found === undefined) throw this.missingError('ClusterExternalSecret', name)
    return asClusterExternalSecret(found)
  }
  async childName(parent: string): Promise<string> {
    const { metadata, spec } = await this.#parent(parent)
    return spec.externalSecretName ?? metadata.name
  }
  /** Our token on the parent, beside those of other secrets. false: it stands there already, or the parent changed since it was read. */
  async markParent(name: string, mark: Mark, again?: number): Promise<boolean> {
    const { metadata } = await this.#parent(name)
    if (again === undefined && hasToken(metadata.annotations[forceSyncKey], mark)) return false
    const annotations = { [forceSyncKey]: withToken(metadata.annotations[forceSyncKey], mark, again) }
    const path = await this.#operator(`clusterexternalsecrets/${name}`)
    const { resourceVersion } = metadata
    return (await this.#patch(path, { metadata: { ...(resourceVersion ? { resourceVersion } : {}), annotations } })) !== undefined
  }

  async secret(name: string): Promise<Secret | undefined> {
    const found = await this.#get(`/api/v1/${this.#in(`secrets/${name}`)}`)
    return found === undefined ? undefined : asSecret(found)
  }
  /** `ready` undefined: it has no status, or may not be looked at; `controller`: the one class of operators that takes it up. */
  async storeState(kind: string, name: string): Promise<{ readonly ready: boolean | undefined; readonly controller: string }> {
    const path = kind === 'ClusterSecretStore' ? `clustersecretstores/${name}` : this.#in(`secretstores/${name}`)
    try {
      const found = await this.#get(await this.#operator(path))
      if (found === undefined) throw this.missingError(kind, name)
      const { spec, status } = asStore(found)
      const condition = status?.conditions.find(({ type }) => type === 'Ready')
      return { ready: condition && condition.status === 'True', controller: spec.controller }
    } catch (cause) {
      if (codeOf(cause) !== 'denied') throw cause
      return { ready: undefined, controller: '' } // a second opinion: no right to it is needed to follow a rotation
    }
  }

  #workloadPath = (ref: WorkloadRef): string => `/apis/apps/v1/${this.#in(`${resourceOf(ref)}/${ref.name}`)}`
  async workload(ref: WorkloadRef): Promise<Workload> {
    const found = await this.#get(this.#workloadPath(ref))
    if (found === undefined) throw this.missingError(ref.kind, ref.name)
    return asWorkload(found)
  }
  /** false: what the server answers is without it. */
  async restart(ref: WorkloadRef, mark: Mark): Promise<boolean> {
    const answer = await this.#patch(this.#workloadPath(ref), markTemplate(mark))
    return answer === undefined || isMarked(asWorkload(answer), mark)
  }
  /** undefined: it is not there, which says nothing of whether it ever was. */
  async resting(ref: WorkloadRef): Promise<Resting | undefined> {
    const group = ref.kind === 'Job' ? '/apis/batch/v1' : '/api/v1'
    const found = await this.#get(`${group}/${this.#in(`${resourceOf(ref)}/${ref.name}`)}`)
    return found === undefined ? undefined : asResting(found)
  }
  /** Ends all pods of these revisions at once, with their grace: one call, however many they are. */
  async endPods(workload: Workload, revisions: readonly string[]): Promise<void> {
    const selector = `${selectorText(workload)},${revisionLabel} in (${revisions.join(',')})`
    await this.#client.delete(`/api/v1/${this.#in('pods')}?labelSelector=${encodeURIComponent(selector)}`, this.#deadline)
  }
  /** All of them: more than one page cannot be said to be drained by its first. */
  async pods(workload: Workload): Promise<Pods> {
    const query = `labelSelector=${encodeURIComponent(selectorText(workload))}&limit=${podsMax}`
    const items: Pods['items'] = []
    for (let next = ''; ; ) {
      const page = asPods(
        await this.#get(`/api/v1/${this.#in('pods')}?${query}${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`),
      )
      items.push(...page.items)
      next = page.metadata.continue
      if (next === '') return { metadata: { continue: '' }, items }
    }
  }

  /** Whether this account may do it; asking needs no right. */
  async may(verb: string, apiGroup: string, resource: string, name?: string): Promise<boolean> {
    const where = resource.startsWith('cluster') ? {} : { namespace: this.#settings.namespace }
    const attributes = { ...where, verb, group: apiGroup, resource, ...optional('name', name) }
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: attributes } }
    return asReview(await this.#client.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', body, this.#deadline)).status.allowed
  }

  missingError(kind: string, name: string): RotationError {
    const { cluster, namespace, consumer } = this.#settings
    const where = kind.startsWith('Cluster') ? `the cluster ${cluster}` : `the namespace ${namespace} of the cluster ${cluster}`
    return new RotationError('bad_config', `There is no ${kind} ${name} in ${where}.`, {
      field: `consumers.${consumer}`,
      next: 'Correct the name or the namespace of this consumer, or create it.',
    })
  }
}
