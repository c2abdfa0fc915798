import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Change, Consumer } from '../../shared/core/ports/notifier.js'
import type { VersionId } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { create } from '../../shared/notifiers/kubernetes.js'
import { stores } from '../../shared/stores/registry.js'
import { AzureMachine } from '../harness/azure-machine.js'
import { FakeEnv } from '../harness/fake-env.js'
import { GoogleMachine } from '../harness/gcp-machine.js'
import type { KubeApi } from '../harness/kube/api.js'
import { installOperatorKinds } from '../harness/kube/crd.js'
import { Kubelet } from '../harness/kube/kubelet.js'
import { Operator } from '../harness/kube/operator.js'
import { KubeServer, kubeSkip, managerSkip, until } from '../harness/kube/server.js'
import { repository } from '../harness/repository.js'
import { suite } from '../harness/suite.js'

const plurals: Readonly<Record<string, string>> = {
  ClusterRole: 'apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: 'apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  ServiceAccount: 'api/v1/namespaces/shop/serviceaccounts',
  Role: 'apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles',
  RoleBinding: 'apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings',
  ValidatingAdmissionPolicy: 'apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
  ValidatingAdmissionPolicyBinding: 'apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings',
  SecretStore: 'apis/external-secrets.io/v1/namespaces/shop/secretstores',
  ExternalSecret: 'apis/external-secrets.io/v1/namespaces/shop/externalsecrets',
  Deployment: 'apis/apps/v1/namespaces/shop/deployments',
  CronJob: 'apis/batch/v1/namespaces/shop/cronjobs',
}

interface Platform {
  readonly who: string
  readonly auth: 'google' | 'azure'
  /** What grants its account the one right, and what the cluster calls that account. */
  readonly file: string
  readonly user: string
  /** What the API server of the test takes for an access token of it. */
  readonly token: string
  /** This process as that account, until it is closed. */
  open(token: string): Promise<{ close(): Promise<void> }>
}
const platforms: readonly Platform[] = [
  {
    who: 'a function of Google Cloud',
    auth: 'google',
    file: 'gke',
    user: 'keyturn-work@shop-project.iam.gserviceaccount.com',
    token: 'ya29.the-account-of-a-function-0123456789',
    open: async (token) => {
      const machine = await GoogleMachine.open()
      machine.metadata.token = token
      return machine
    },
  },
  {
    who: 'a function of Azure',
    auth: 'azure',
    file: 'aks',
    user: '00000000-0000-0000-0000-000000000000',
    token: 'eyJ0.the-identity-of-a-function-0123456789',
    open: async (token) => {
      const machine = await AzureMachine.open()
      machine.identity.token = () => token
      return machine
    },
  },
]

suite('infra/kubernetes on a real API server', kubeSkip, ({ after, before, it }) => {
  let server: KubeServer
  let keyturn: KubeApi
  before(async () => {
    server = await KubeServer.start(Object.fromEntries(platforms.map(({ token, user }) => [token, user])))
    await installOperatorKinds(server.api, 'v1')
    await server.makeNamespace('shop')
    for (const file of ['access', 'policy', 'cluster-wide', 'example']) await apply(file)
    const whole = {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ClusterExternalSecret',
      metadata: { name: 'db' },
      spec: { externalSecretName: 'db' },
    }
    await server.api.must('POST', '/apis/external-secrets.io/v1/clusterexternalsecrets', whole)
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600 } }
    const { status } = await server.api.must('POST', '/api/v1/namespaces/shop/serviceaccounts/keyturn/token', body)
    keyturn = server.api.as((status as { token: string }).token)
    for (const [path, body] of [
      [deployment, { spec: { replicas: 5 } }],
      [externalSecret, { spec: { refreshInterval: '2h' } }],
      [parent, { spec: { externalSecretName: 'other' } }],
    ] as const)
      await until('the policy', async () => (await patch(path, body)).status === 403)
  })
  after(() => server?.stop())

  /** Each document as it stands, with the server's own strict validation. */
  async function apply(file: string): Promise<void> {
    const text = await readFile(join(repository, `infra/kubernetes/${file}.yaml`), 'utf8')
    for (const document of text.split(/^---$/m)) {
      const kind = /^kind: (.*)$/m.exec(document)?.[1] ?? ''
      const answer = await server.api.send('POST', `/${plurals[kind]}?fieldValidation=Strict`, document, 'application/yaml')
      assert.equal(answer.status, 201, `${kind}: ${JSON.stringify(answer.body)}`)
    }
  }
  function consumerHere(more: object = {}): Consumer {
    const settings = {
      cluster: 'here',
      namespace: 'shop',
      externalSecret: 'db',
      workloads: ['Deployment/web'],
      access: { inCluster: false, server: server.api.server, ca: server.ca, token: keyturn.token },
      ...more,
    }
    return { key: 'web', kind: 'kubernetes', required: true, settings: new SecretText(JSON.stringify(settings)) }
  }
  const externalSecret = '/apis/external-secrets.io/v1/namespaces/shop/externalsecrets/db'
  const deployment = '/apis/apps/v1/namespaces/shop/deployments/web'
  const patch = (path: string, body: object) => keyturn.call('PATCH', path, body, 'application/merge-patch+json')
  const ours = { 'keyturn/change-0123456789ab': 'change-1' }
  const parent = '/apis/external-secrets.io/v1/clusterexternalsecrets/db'
  const orphan = { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'nobody' }] }

  it('the example is of one piece: its sweep, its operator and its ExternalSecret mean the same secret of the same store', async () => {
    const text = await readFile(join(repository, 'infra/kubernetes/example.yaml'), 'utf8')
    const documents = parseAllDocuments(text).map((one) => one.toJS() as Record<string, never>)
    const of = (kind: string): Record<string, unknown> => documents.find((one) => one.kind === kind) ?? assert.fail(kind)
    const [provider] = Object.keys((of('SecretStore') as { spec: { provider: object } }).spec.provider)
    const job = of('CronJob') as {
      spec: { jobTemplate: { spec: { template: { spec: { containers: { args: string[]; env: { name: string; value: string }[] }[] } } } } }
    }
    const [sweep] = job.spec.jobTemplate.spec.template.spec.containers
    assert.equal(sweep?.args[sweep.args.indexOf('--store') + 1], provider)
    assert.ok(Object.hasOwn(stores, provider ?? ''))
    assert.equal(sweep?.env.find(({ name }) => name === 'KEYTURN_CONFIG')?.value, `${provider}:keyturn-config`)
    const { spec } = of('ExternalSecret') as { spec: { secretStoreRef: { name: string }; dataFrom: { extract: { key: string } }[] } }
    assert.equal(spec.secretStoreRef.name, (of('SecretStore') as { metadata: { name: string } }).metadata.name)
    assert.deepEqual(
      spec.dataFrom.map(({ extract }) => extract.key),
      ['db'],
    )
  })

  it('is understood by the server without a warning', async () => {
    const path = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies'
    await until('their type check', async () => {
      const { items = [] } = await server.api.must('GET', path)
      return items.length === 5 && items.every(({ status }) => status !== undefined)
    })
    const { items = [] } = await server.api.must('GET', path)
    for (const { metadata, status } of items) {
      const { typeChecking } = status as { typeChecking?: { expressionWarnings?: { warning: string }[] } }
      assert.deepEqual(typeChecking?.expressionWarnings ?? [], [], metadata?.name)
    }
  })

  it('may set its own annotation on both, again too', async () => {
    for (let turn = 0; turn < 2; turn++) {
      assert.equal((await patch(externalSecret, { metadata: { annotations: { ...ours, 'keyturn/before-0123456789ab': '' } } })).status, 200)
      assert.equal((await patch(parent, { metadata: { annotations: { 'external-secrets.io/force-sync': `${turn}` } } })).status, 200)
      assert.equal((await patch(deployment, { spec: { template: { metadata: { annotations: ours } } } })).status, 200)
    }
  })

  const forbidden: readonly (readonly [string, string, object])[] = [
    ['another remote secret', externalSecret, { spec: { dataFrom: [{ extract: { key: 'admin' } }] } }],
    ['another annotation', externalSecret, { metadata: { annotations: { other: 'x' } } }],
    ['a label', externalSecret, { metadata: { labels: { other: 'x' } } }],
    ['its owners', externalSecret, { metadata: orphan }],
    ['its finalizers', externalSecret, { metadata: { finalizers: ['example.test/keep'] } }],
    ['another annotation of a parent', parent, { metadata: { annotations: { other: 'x' } } }],
    ['what a parent makes', parent, { spec: { externalSecretName: 'other' } }],
    ['the owners of a parent', parent, { metadata: orphan }],
    ['the owners of a workload', deployment, { metadata: orphan }],
    ['what was synced, on a template', deployment, { spec: { template: { metadata: { annotations: { 'keyturn/before-x': 'y' } } } } }],
    ['another image', deployment, { spec: { template: { spec: { containers: [{ name: 'main', image: 'registry.example/other:1' }] } } } }],
    ['replicas', deployment, { spec: { replicas: 0 } }],
    ['pause', deployment, { spec: { paused: true } }],
    ['a template label', deployment, { spec: { template: { metadata: { labels: { other: 'x' } } } } }],
    ['a template annotation', deployment, { spec: { template: { metadata: { annotations: { other: 'x' } } } } }],
    ['an annotation of the workload', deployment, { metadata: { annotations: ours } }],
    ['the strategy', deployment, { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } }],
  ]
  for (const [what, path, body] of forbidden) {
    it(`may not change ${what}`, async () => {
      const { status, body: said } = await patch(path, body)
      assert.equal(status, 403, JSON.stringify(said))
      assert.match(String(said.message), /keyturn-annotates-only/)
    })
  }

  it('may read no other object, and list nothing but pods', async () => {
    for (const path of [
      '/api/v1/namespaces/shop/secrets/other',
      '/api/v1/namespaces/shop/secrets',
      '/apis/apps/v1/namespaces/shop/deployments',
      '/apis/apps/v1/namespaces/shop/deployments/other',
      '/api/v1/namespaces/default/pods',
    ])
      assert.equal((await keyturn.call('GET', path)).status, 403, path)
    assert.equal((await keyturn.call('GET', '/api/v1/namespaces/shop/pods')).status, 200)
  })

  it('everybody else may change them as before', async () => {
    await server.api.patch(deployment, { spec: { replicas: 3 } })
  })

  it('is what the notifier asks for: its preflight finds nothing that is missing', async () => {
    const consumer = consumerHere()
    const env = new FakeEnv('access', Date.now())
    assert.deepEqual(await create().preflight(consumer, { env, deadline: env.time + 60_000 }), { verdict: 'ok' })
  })

  for (const { who, auth, file, token, open } of platforms)
    it(`lets the account of ${who} ask for tokens of that account, and for nothing else`, async () => {
      await apply(file)
      const machine = await open(token)
      const access = { inCluster: false, server: server.api.server, ca: server.ca, auth, serviceAccount: 'shop/keyturn' }
      const env = new FakeEnv(auth, Date.now())
      const context = { env, deadline: env.time + 60_000 }
      assert.deepEqual(await create().preflight(consumerHere({ access }), context), { verdict: 'ok' })
      const alone = server.api.as(token)
      for (const path of ['/api/v1/namespaces/shop/secrets/db', '/api/v1/namespaces/shop/pods', deployment, externalSecret])
        assert.equal((await alone.call('GET', path)).status, 403, path)
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600 } }
      assert.equal((await alone.call('POST', '/api/v1/namespaces/shop/serviceaccounts/default/token', body)).status, 403)
      await machine.close()
      for (const plural of ['roles', 'rolebindings'])
        await server.api.must('DELETE', `/apis/rbac.authorization.k8s.io/v1/namespaces/shop/${plural}/keyturn-token`)
    })

  let published = 1
  /** Preflight and one publication, until its consumer is drained: all that the server noted of this account. */
  async function askedFor(consumer: Consumer): Promise<readonly string[]> {
    const [before_ = '', now = ''] = [published, ++published].map((count) =>
      JSON.stringify({ username: 'app', password: `password-${count}-0123456789` }),
    )
    const operator = new Operator(server.api, 'shop', () => ({ now, before: before_ }))
    const kubelet = new Kubelet(server.api, 'shop', 50)
    operator.start()
    kubelet.start()
    try {
      const env = new FakeEnv('audit', Date.now())
      const change: Change = {
        id: `change-${published}`,
        ref: { store: storeKind('file'), key: 'db', shown: 'file:db', name: 'db' },
        version: `v-${published}` as VersionId,
        previous: `v-${published - 1}` as VersionId,
        sequence: published,
        cause: 'rotation',
      }
      const already = (await server.askedBy(account)).length
      const notifier = create()
      assert.deepEqual(await notifier.preflight(consumer, { env, deadline: env.time + 60_000 }), { verdict: 'ok' })
      await until('the end of the rollout', async () => {
        const context = { env, deadline: env.time + 60_000, value: async () => new SecretText(now) }
        return (await notifier.advance(change, consumer, context)).phase === 'drained'
      })
      return [...new Set((await server.askedBy(account)).slice(already))].sort()
    } finally {
      await operator.stop()
      await kubelet.stop()
    }
  }
  const account = 'system:serviceaccount:shop:keyturn'

  it('a whole rollout under this Role and these policies: the server noted nothing that is not on the list', {
    skip: managerSkip,
  }, async () => {
    assert.deepEqual(await askedFor(consumerHere()), [
      'create authorization.k8s.io/selfsubjectaccessreviews',
      'get /apis/external-secrets.io',
      'get apps/deployments web',
      'get external-secrets.io/externalsecrets db',
      'get external-secrets.io/secretstores aws',
      'get secrets db',
      'list pods',
      'patch apps/deployments web',
      'patch external-secrets.io/externalsecrets db',
    ])
  })

  it('the same of StatefulSets, DaemonSets and Jobs, all pods at once: a Role with their names, and one verb more', {
    skip: managerSkip,
  }, async () => {
    await new Kubelet(server.api, 'shop', 0).makeNode()
    const labels = (app: string) => ({ metadata: { labels: { app } }, spec: { containers: [{ name: 'main', image: 'app:1' }] } })
    for (const [kind, plural, more] of [
      ['StatefulSet', 'statefulsets', { replicas: 2, serviceName: 'queue', podManagementPolicy: 'Parallel' }],
      ['DaemonSet', 'daemonsets', {}],
    ] as const) {
      const app = kind.toLowerCase()
      const own = { selector: { matchLabels: { app } }, template: labels(app), updateStrategy: { type: 'OnDelete' } }
      const body = { apiVersion: 'apps/v1', kind, metadata: { name: 'queue' }, spec: { ...own, ...more } }
      await server.api.must('POST', `/apis/apps/v1/namespaces/shop/${plural}`, body)
    }
    const jobs = '/apis/batch/v1/namespaces/shop/jobs'
    const template = { spec: { ...labels('job').spec, restartPolicy: 'Never' } }
    await server.api.must('POST', jobs, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'import' },
      spec: { template, suspend: true },
    })
    const rules = [
      { apiGroups: ['apps'], resources: ['statefulsets', 'daemonsets'], resourceNames: ['queue'], verbs: ['get', 'patch'] },
      { apiGroups: ['batch'], resources: ['jobs'], resourceNames: ['import'], verbs: ['get'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['deletecollection'] },
    ]
    const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/shop'
    await server.api.must('POST', `${rbac}/roles`, { metadata: { name: 'more' }, rules })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'more' }
    const subjects = [{ kind: 'ServiceAccount', name: 'keyturn', namespace: 'shop' }]
    await server.api.must('POST', `${rbac}/rolebindings`, { metadata: { name: 'more' }, roleRef, subjects })
    const at = new Date().toISOString().replace(/\.\d+/, '')
    const conditions = ['FailureTarget', 'Failed'].map((type) => ({ type, status: 'True', lastTransitionTime: at }))
    await server.api.patch(`${jobs}/import/status`, { status: { startTime: at, conditions } })
    for (const plural of ['statefulsets', 'daemonsets'])
      for (const body of [
        { metadata: { annotations: ours } },
        { metadata: orphan },
        { spec: { template: { metadata: { annotations: { other: 'x' } } } } },
        { spec: { template: { spec: { containers: [{ name: 'main', image: 'registry.example/other:1' }] } } } },
        { spec: { updateStrategy: { type: 'RollingUpdate' } } },
      ]) {
        await until('the Role', async () => (await keyturn.call('GET', `/apis/apps/v1/namespaces/shop/${plural}/queue`)).status === 200)
        const { status, body: said } = await patch(`/apis/apps/v1/namespaces/shop/${plural}/queue`, body)
        assert.equal(status, 403, JSON.stringify(body))
        assert.match(String(said.message), /keyturn-annotates-only/)
      }
    const consumer = consumerHere({ workloads: ['StatefulSet/queue', 'DaemonSet/queue', 'Job/import'], restart: 'together' })
    assert.deepEqual(await askedFor(consumer), [
      'create authorization.k8s.io/selfsubjectaccessreviews',
      'deletecollection pods',
      'get /apis/external-secrets.io',
      'get apps/daemonsets queue',
      'get apps/statefulsets queue',
      'get batch/jobs import',
      'get external-secrets.io/externalsecrets db',
      'get external-secrets.io/secretstores aws',
      'get secrets db',
      'list pods',
      'patch apps/daemonsets queue',
      'patch apps/statefulsets queue',
      'patch external-secrets.io/externalsecrets db',
    ])
  })
})
