import type { KubeApi } from './api.js'
import { until } from './server.js'

const group = 'external-secrets.io'

/** Our own minimal forms of the operator's kinds: what is written and read here, everything else kept as it is. */
function crd(kind: string, plural: string, scope: 'Namespaced' | 'Cluster', version: string) {
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
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
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } },
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
