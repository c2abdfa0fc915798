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
import { beforeText, forceSyncKey, hasToken, type Mark, withToken } from './sync.js'
import { isMarked, markTemplate, resourceOf, revisionLabel, selectorText, type WorkloadRef } from './workload.js'

const group = 'external-secrets.io'
/** The size of a page: a pod with sidecars and its managed fields may take tens of kilobytes, and an answer may have 8 MiB. */
const podsMax = 100

/** `ready` undefined: it has no status, or we may not look at it. `controller`: the one class of operators that takes it up. */
interface StoreState {
  readonly ready: boolean | undefined
  readonly controller: string
}

/** One namespace of one cluster, with the calls that this notifier needs. */
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
  /** No call runs after the deadline, however many calls a look needs. */
  static async open(settings: KubernetesSettings, { env, deadline }: NotifierContext): Promise<Cluster> {
    const { cluster, access, timeoutMs } = settings
    const client = await Client.open(cluster, access, env, timeoutMs)
    return new Cluster(client, settings, deadline)
  }
  #get = (path: string): Promise<unknown> => this.#client.get(path, this.#deadline)
  #patch = (path: string, body: object): Promise<unknown> => this.#client.patch(path, body, this.#deadline)
  /** The server's clock, from its last answer; undefined where the answer has no date. */
  get serverNow(): number | undefined {
    return this.#client.serverNow
  }

  /** The path of an operator's object. v1 is preferred; operators before 0.17 serve only v1beta1. */
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
  /** Writes our mark, what was synced before it, and when, in one write; false where the object changed since it was read. */
  async markExternalSecret({ metadata, status }: ExternalSecret, mark: Mark, now: number): Promise<boolean> {
    const annotations = { [mark.key]: mark.change, [mark.before]: beforeText(status?.syncedResourceVersion, now) }
    const path = await this.#operator(this.#in(`externalsecrets/${metadata.name}`))
    return this.#annotate(path, metadata.resourceVersion, annotations)
  }
  /** false where the object changed since that resource version was read. */
  async #annotate(path: string, resourceVersion: string | undefined, annotations: object): Promise<boolean> {
    const version = resourceVersion ? { resourceVersion } : {}
    const answer = await this.#patch(path, { metadata: { ...version, annotations } })
    return answer !== undefined
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
  /** Writes our token on the parent, beside those of other secrets. false: it is there already and `again` is not set, or the parent changed meanwhile. */
  async markParent(name: string, mark: Mark, now: number, again = false): Promise<boolean> {
    const { metadata } = await this.#parent(name)
    const { [forceSyncKey]: tokens } = metadata.annotations
    if (!again && hasToken(tokens, mark)) return false
    const path = await this.#operator(`clusterexternalsecrets/${name}`)
    return this.#annotate(path, metadata.resourceVersion, { [forceSyncKey]: withToken(tokens, mark, now) })
  }

  async secret(name: string): Promise<Secret | undefined> {
    const found = await this.#get(`/api/v1/${this.#in(`secrets/${name}`)}`)
    return found === undefined ? undefined : asSecret(found)
  }
  /** The state of a SecretStore that an ExternalSecret reads. */
  async storeState(kind: string, name: string): Promise<StoreState> {
    const path = kind === 'ClusterSecretStore' ? `clustersecretstores/${name}` : this.#in(`secretstores/${name}`)
    try {
      const found = await this.#get(await this.#operator(path))
      if (found === undefined) throw this.missingError(kind, name)
      const { spec, status } = asStore(found)
      const condition = status?.conditions.find(({ type }) => type === 'Ready')
      return { ready: condition && condition.status === 'True', controller: spec.controller }
    } catch (cause) {
      if (codeOf(cause) !== 'denied') throw cause
      return { ready: undefined, controller: '' } // only a second opinion: following a rotation needs no right to it
    }
  }

  #workloadPath = (ref: WorkloadRef): string => `/apis/apps/v1/${this.#in(`${resourceOf(ref)}/${ref.name}`)}`
  async workload(ref: WorkloadRef): Promise<Workload> {
    const found = await this.#get(this.#workloadPath(ref))
    if (found === undefined) throw this.missingError(ref.kind, ref.name)
    return asWorkload(found)
  }
  /** Marks the template of a workload in one write; false where the server's answer does not have the marks. */
  async restart(ref: WorkloadRef, marks: readonly Mark[]): Promise<boolean> {
    const answer = await this.#patch(this.#workloadPath(ref), markTemplate(marks))
    return answer === undefined || marks.every((mark) => isMarked(asWorkload(answer), mark))
  }
  /** A Job or a bare pod; undefined where it is not there, whether or not it ever was. */
  async resting(ref: WorkloadRef): Promise<Resting | undefined> {
    const group = ref.kind === 'Job' ? '/apis/batch/v1' : '/api/v1'
    const found = await this.#get(`${group}/${this.#in(`${resourceOf(ref)}/${ref.name}`)}`)
    return found === undefined ? undefined : asResting(found)
  }
  /** Ends all pods of these revisions at once, with their grace period. It is one call, however many pods there are. */
  async endPods(workload: Workload, revisions: readonly string[]): Promise<void> {
    const selector = `${selectorText(workload)},${revisionLabel} in (${revisions.join(',')})`
    await this.#client.delete(`/api/v1/${this.#in('pods')}?labelSelector=${encodeURIComponent(selector)}`, this.#deadline)
  }
  /** Every page of the workload's pods: the first page alone cannot show that no old pod is left. */
  async pods(workload: Workload): Promise<Pods> {
    const query = `labelSelector=${encodeURIComponent(selectorText(workload))}&limit=${podsMax}`
    const path = `/api/v1/${this.#in('pods')}?${query}`
    const items: Pods['items'] = []
    for (let next = ''; ; ) {
      const rest = next === '' ? '' : `&continue=${encodeURIComponent(next)}`
      const page = asPods(await this.#get(path + rest))
      items.push(...page.items)
      next = page.metadata.continue
      if (next === '') return { metadata: { continue: '' }, items }
    }
  }

  /** Whether this account may do it; asking needs no right. */
  async may(verb: string, apiGroup: string, resource: string, name?: string): Promise<boolean> {
    const where = resource.startsWith('cluster') ? {} : { namespace: this.#settings.namespace }
    const resourceAttributes = { ...where, verb, group: apiGroup, resource, ...optional('name', name) }
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } }
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
    const answer = await this.#client.post(path, body, this.#deadline)
    return asReview(answer).status.allowed
  }

  missingError(kind: string, name: string): RotationError {
    const { cluster, namespace, consumer } = this.#settings
    const everywhere = `the cluster ${cluster}`
    const where = kind.startsWith('Cluster') ? everywhere : `the namespace ${namespace} of ${everywhere}`
    return new RotationError('bad_config', `There is no ${kind} ${name} in ${where}.`, {
      field: `consumers.${consumer}`,
      next: 'Correct the name or the namespace of this consumer, or create it.',
    })
  }
}
