import { RotationError } from '../core/errors.js'
import type { Artefact } from '../core/ports/artefact.js'
import { Client } from '../kubernetes/client.js'
import { asConfigMap } from '../kubernetes/objects.js'
import type { ClusterSettings, ConfigMapPlace } from '../kubernetes/settings.js'

const timeoutMs = 10_000
const attemptsMax = 4

/**
 * A ConfigMap that is there already: what creates objects cannot be limited to one name, so that nothing is created here. Needs `get` and `patch` on this one ConfigMap. Kubelets bring
 * it to pods within two minutes or so.
 */
export function configMapArtefact({ cluster, namespace, name, key }: ConfigMapPlace, access: ClusterSettings, companion: string): Artefact {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`
  const policyError = (why: string, next: string): RotationError =>
    new RotationError('bad_config', `The ConfigMap ${namespace}/${name} in cluster ${cluster} ${why}.`, {
      field: `companions.${companion}.at`,
      next,
    })
  return {
    publish: async (text, { env, deadline, write }) => {
      const client = await Client.open(cluster, access, env, timeoutMs)
      const wanted = String(text)
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const found = await client.get(path, deadline)
        if (found === undefined) throw policyError('is not there', `Create it: kubectl create configmap ${name} -n ${namespace}.`)
        const { metadata, immutable, data } = asConfigMap(found)
        if (data[key] === wanted) return 'same'
        if (immutable) throw policyError('is immutable', 'Name one that is not.')
        const { resourceVersion } = metadata
        let stored: unknown
        await write(async () => {
          stored = await client.patch(path, { metadata: { resourceVersion }, data: { [key]: wanted } }, deadline)
        })
        if (stored !== undefined) return 'written'
      }
      throw new RotationError('conflict', `${path} in cluster ${cluster} was changed by others all the time.`, {
        next: 'It is tried again.',
      })
    },
  }
}
