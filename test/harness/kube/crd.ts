import type { KubeApi } from './api.js'
import { until } from './server.js'

const group = 'external-secrets.io'

const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
const word = { type: 'string' }
const words = (...names: string[]) => Object.fromEntries(names.map((name) => [name, word]))
const object = (properties: object, required: readonly string[] = []) => ({
  type: 'object',
  properties,
  ...(required.length > 0 ? { required } : {}),
})
const list = (items: object) => ({ type: 'array', items })

/** Fields as the operator's own definitions have them, as far as a user of ours writes them: a strict server then finds what is misspelt. */
const remoteRef = object(words('key', 'property', 'version', 'decodingStrategy', 'conversionStrategy', 'metadataPolicy'), ['key'])
const sourceRef = object({ storeRef: object(words('name', 'kind')), generatorRef: object(words('apiVersion', 'kind', 'name')) })
const externalSecret = {
  ...words('refreshInterval', 'refreshPolicy'),
  secretStoreRef: object(words('name', 'kind')),
  target: object({
    ...words('name', 'creationPolicy', 'deletionPolicy'),
    immutable: { type: 'boolean' },
    template: open,
    manifest: object(words('apiVersion', 'kind')),
  }),
  data: list(object({ ...words('secretKey'), remoteRef, sourceRef }, ['secretKey', 'remoteRef'])),
  dataFrom: list(object({ extract: remoteRef, find: open, rewrite: list(open), sourceRef })),
}
const serviceAccountRef = object({ ...words('name', 'namespace'), audiences: list(word) }, ['name'])
const aws = object({ ...words('service', 'region', 'role'), auth: object({ jwt: object({ serviceAccountRef }) }) }, ['service', 'region'])
const specs: Readonly<Record<string, object>> = {
  ExternalSecret: object(externalSecret),
  SecretStore: object({ ...words('controller'), provider: object({ aws, fake: open }), refreshInterval: { type: 'integer' } }),
  ClusterExternalSecret: object({
    ...words('externalSecretName', 'refreshTime'),
    externalSecretSpec: object(externalSecret),
    namespaceSelectors: list(open),
  }),
}

function crd(kind: string, plural: string, scope: 'Namespaced' | 'Cluster', version: string) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope,
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: specs[kind], status: open } } },
        },
      ],
    },
  }
}

export async function installOperatorKinds(api: KubeApi, version: string): Promise<void> {
  const kinds = [
    ['ExternalSecret', 'externalsecrets', 'Namespaced'],
    ['SecretStore', 'secretstores', 'Namespaced'],
    ['ClusterExternalSecret', 'clusterexternalsecrets', 'Cluster'],
  ] as const
  for (const [kind, plural, scope] of kinds)
    await api.must('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd(kind, plural, scope, version))
  for (const [, plural] of kinds)
    await until(plural, async () => (await api.call('GET', `/apis/${group}/${version}/${plural}`)).status === 200)
}
