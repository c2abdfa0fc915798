import type { Change, Consumer, NotifierContext } from '../../../shared/core/ports/notifier.js'
import type { SecretRef, VersionId } from '../../../shared/core/ports/words.js'
import { storeKind } from '../../../shared/core/refs.js'
import { SecretText } from '../../../shared/core/secret-text.js'
import { FakeEnv } from '../fake-env.js'
import type { Json, KubeApi } from './api.js'
import { installOperatorKinds } from './crd.js'
import { KubeFake } from './fake.js'
import { Kubelet } from './kubelet.js'
import { Operator } from './operator.js'
import { KubeServer } from './server.js'

export const rotatorToken = 'token-of-keyturn-0123456789'
export const strangerToken = 'token-of-a-stranger-0123456789'
/** May only ask for tokens of an account. */
export const minterToken = 'token-of-a-minter-0123456789'
const users = { [rotatorToken]: 'keyturn', [strangerToken]: 'stranger', [minterToken]: 'minter' }
const apps = '/apis/apps/v1/namespaces'
const ref: SecretRef = { store: storeKind('file'), key: 'db', shown: 'file:db', name: 'db' }
export type Kind = 'Deployment' | 'StatefulSet' | 'DaemonSet'
const plurals = { Deployment: 'deployments', StatefulSet: 'statefulsets', DaemonSet: 'daemonsets' } as const

/** What the narrow role may do, as infra/kubernetes has it. */
export const rules = [
  { apiGroups: ['external-secrets.io'], resources: ['externalsecrets'], verbs: ['get', 'patch'] },
  { apiGroups: ['external-secrets.io'], resources: ['secretstores'], verbs: ['get'] },
  { apiGroups: [''], resources: ['secrets'], resourceNames: ['db', 'rendered', 'third'], verbs: ['get'] },
  { apiGroups: ['apps'], resources: ['deployments', 'statefulsets', 'daemonsets'], verbs: ['get', 'patch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['list', 'get', 'deletecollection'] },
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['get'] },
]

/** One API server for all tests of a file; each test has a namespace of its own with operator and kubelet. */
export class Lab {
  readonly api: KubeApi
  readonly ca: string
  /** Its faults can be set where it is the stand-in. */
  readonly fake: KubeFake | undefined
  readonly #server: KubeServer | KubeFake
  /** Of the operator's kinds. */
  readonly version: string
  #namespaces = 0

  private constructor(server: KubeServer | KubeFake, version: string) {
    this.version = version
    this.fake = server instanceof KubeFake ? server : undefined
    this.#server = server
    this.api = server.api
    this.ca = server.ca
  }
  static async open(which: 'real' | 'fake', version: 'v1' | 'v1beta1' = 'v1'): Promise<Lab> {
    const lab = new Lab(await (which === 'real' ? KubeServer : KubeFake).start(users), version)
    if (lab.fake) lab.fake.operatorVersions = [version]
    try {
      if (which === 'real') await installOperatorKinds(lab.api, version)
      await new Kubelet(lab.api, 'default', 0).makeNode()
    } catch (cause) {
      await lab.close()
      throw cause
    }
    return lab
  }
  close = (): Promise<void> => this.#server.stop()

  /** `key`: the secret that the ExternalSecret of the room reads. */
  async room(endMs = 300, key = 'db'): Promise<Room> {
    const namespace = `shop-${++this.#namespaces}`
    await this.#server.makeNamespace(namespace)
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
    const name = 'keyturn'
    await this.api.must('POST', `${rbac}/roles`, { metadata: { name }, rules })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name }
    await this.api.must('POST', `${rbac}/rolebindings`, { metadata: { name }, roleRef, subjects: [{ kind: 'User', name: 'keyturn' }] })
    const room = new Room(this, namespace, endMs, key)
    await room.open()
    return room
  }
}

export class Room {
  readonly lab: Lab
  readonly namespace: string
  readonly operator: Operator
  readonly kubelet: Kubelet
  readonly env = new FakeEnv('kube', Date.now())
  value = JSON.stringify({ username: 'app', password: 'first-password-0123456789', port: 5432 })
  before = this.value
  /** What the operator's provider holds, where that is not `value`. */
  provider: (() => Promise<string>) | undefined
  #changes = 0
  readonly #key: string

  constructor(lab: Lab, namespace: string, endMs: number, key: string) {
    this.lab = lab
    this.#key = key
    this.namespace = namespace
    this.operator = new Operator(lab.api, namespace, async () => ({ now: (await this.provider?.()) ?? this.value, before: this.before }))
    this.operator.version = lab.version
    this.operator.old = lab.version === 'v1beta1'
    this.kubelet = new Kubelet(lab.api, namespace, endMs)
  }
  async open(): Promise<void> {
    await this.makeExternalSecret()
    this.operator.start()
    this.kubelet.start()
  }
  async close(): Promise<void> {
    await this.operator.stop()
    await this.kubelet.stop()
  }

  readonly externalSecrets = (): string => `/apis/external-secrets.io/${this.lab.version}/namespaces/${this.namespace}/externalsecrets`
  async makeExternalSecret(spec: object = {}, name = 'db', metadata: object = {}): Promise<void> {
    const store = { secretStoreRef: { name: 'vault', kind: 'SecretStore' }, refreshInterval: '1h' }
    const whole = { ...store, target: { name: 'db' }, dataFrom: [{ extract: { key: this.#key } }], ...spec }
    const kind = { apiVersion: `external-secrets.io/${this.lab.version}`, kind: 'ExternalSecret' }
    await this.lab.api.must('POST', this.externalSecrets(), { ...kind, metadata: { name, ...metadata }, spec: whole })
  }
  /** A ClusterExternalSecret and the child that it would make here, with the rights of the rotator. */
  async makeParent(name: string): Promise<void> {
    const root = `/apis/external-secrets.io/${this.lab.version}/clusterexternalsecrets`
    const { api } = this.lab
    const kind = { apiVersion: `external-secrets.io/${this.lab.version}`, kind: 'ClusterExternalSecret' }
    const made = await api.must('POST', root, { ...kind, metadata: { name }, spec: { externalSecretName: `${name}-child` } })
    const owner = { ...kind, name, uid: made.metadata?.uid, controller: true }
    // Two of them never write one Secret: the operator refuses the second.
    await this.makeExternalSecret({ target: { name: 'rendered' } }, `${name}-child`, { ownerReferences: [owner] })
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    const rule = {
      apiGroups: ['external-secrets.io'],
      resources: ['clusterexternalsecrets'],
      resourceNames: [name],
      verbs: ['get', 'patch'],
    }
    await api.must('POST', `${rbac}/clusterroles`, { metadata: { name }, rules: [rule] })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name }
    await api.must('POST', `${rbac}/clusterrolebindings`, { metadata: { name }, roleRef, subjects: [{ kind: 'User', name: 'keyturn' }] })
  }
  /** An account with the rotator's rights here, for which the rotator may ask for tokens. */
  async makeAccount(name: string): Promise<void> {
    const { api } = this.lab
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${this.namespace}`
    await api.must('POST', `/api/v1/namespaces/${this.namespace}/serviceaccounts`, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name },
    })
    const bind = async (binding: string, role: string, subject: object): Promise<unknown> =>
      api.must('POST', `${rbac}/rolebindings`, {
        metadata: { name: binding },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
        subjects: [subject],
      })
    const rule = { apiGroups: [''], resources: ['serviceaccounts/token'], resourceNames: [name], verbs: ['create'] }
    await api.must('POST', `${rbac}/roles`, { metadata: { name: `${name}-tokens` }, rules: [rule] })
    await bind(`${name}-tokens`, `${name}-tokens`, { kind: 'User', name: 'minter' })
    await bind(name, 'keyturn', { kind: 'ServiceAccount', name, namespace: this.namespace })
  }

  async makeStore(ready: boolean): Promise<void> {
    const path = `/apis/external-secrets.io/v1/namespaces/${this.namespace}/secretstores`
    const kind = { apiVersion: 'external-secrets.io/v1', kind: 'SecretStore' }
    await this.lab.api.must('POST', path, { ...kind, metadata: { name: 'vault' }, spec: { provider: { fake: {} } } })
    await this.lab.api.patch(`${path}/vault/status`, { status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] } })
  }

  workloadPath = (kind: Kind, name = 'web'): string => `${apps}/${this.namespace}/${plurals[kind]}/${name}`
  async makeWorkload(kind: Kind, spec: object = {}, name = 'web'): Promise<void> {
    const labels = { app: name }
    const container = { name: 'main', image: 'app:1' }
    const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 20, containers: [container] } }
    const replicas = kind === 'DaemonSet' ? {} : { replicas: 2 }
    const service = kind === 'StatefulSet' ? { serviceName: name, podManagementPolicy: 'Parallel' } : {}
    const whole = { ...replicas, ...service, selector: { matchLabels: labels }, template, ...spec }
    await this.lab.api.must('POST', `${apps}/${this.namespace}/${plurals[kind]}`, {
      apiVersion: 'apps/v1',
      kind,
      metadata: { name },
      spec: whole,
    })
  }
  async pods(): Promise<readonly Json[]> {
    return (await this.lab.api.must('GET', `/api/v1/namespaces/${this.namespace}/pods`)).items ?? []
  }

  /** What our marks on the ExternalSecret say. */
  async marks(name = 'db'): Promise<Readonly<Record<string, string>>> {
    const { metadata } = await this.lab.api.must('GET', `${this.externalSecrets()}/${name}`)
    return Object.fromEntries(Object.entries(metadata?.annotations ?? {}).filter(([key]) => key.startsWith('keyturn/change-')))
  }
  /** As somebody who takes away what he does not know. */
  async wipeMarks(name = 'db'): Promise<void> {
    const { metadata } = await this.lab.api.must('GET', `${this.externalSecrets()}/${name}`)
    const ours = Object.keys(metadata?.annotations ?? {}).filter((key) => key.startsWith('keyturn/'))
    const annotations = Object.fromEntries(ours.map((key) => [key, null]))
    await this.lab.api.patch(`${this.externalSecrets()}/${name}`, { metadata: { annotations } })
  }

  /** Another value is published. */
  publish(): Change {
    this.before = this.value
    const count = ++this.#changes
    this.value = JSON.stringify({ ...(JSON.parse(this.value) as object), password: `password-${count}-0123456789abcdef` })
    return {
      id: `change-${this.namespace}-${count}`,
      ref,
      version: `v-${count}` as VersionId,
      previous: `v-${count - 1}` as VersionId,
      sequence: this.env.time,
      cause: 'rotation',
    }
  }
  consumer(settings: object = {}, access: object = {}): Consumer {
    const reached = { inCluster: false, server: this.lab.api.server, ca: this.lab.ca, token: rotatorToken, ...access }
    const own = { cluster: 'test', namespace: this.namespace, externalSecret: 'db', workloads: ['Deployment/web'], ...settings }
    return { key: 'web', kind: 'kubernetes', required: true, settings: new SecretText(JSON.stringify({ ...own, access: reached })) }
  }
  /** `beside`: the other consumers of the same secret. */
  context(beside: readonly Consumer[] = []): NotifierContext {
    const [value, before] = [this.value, this.before].map((text) => async () => new SecretText(text))
    return { env: this.env, deadline: this.env.time + 60_000, beside, ...(value && before ? { value, before } : {}) }
  }
}
