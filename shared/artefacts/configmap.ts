import { RotationError } from '../core/errors.js'
import type { Artefact } from '../core/ports/artefact.js'
import { Client } from '../kubernetes/client.js'
import { asConfigMap } from '../kubernetes/objects.js'
import type { ClusterSettings, ConfigMapPlace } from '../kubernetes/settings.js'

const timeoutMs = 10_000
const attemptsMax = 4

/**
 * A ConfigMap that already exists. The right to create objects cannot be limited to one name, so nothing is created here: `get` and `patch` on this one
 * ConfigMap are enough. Kubelets bring it to pods within about two minutes.
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
        if (found === undefined) throw policyError('does not exist', `Create it: kubectl create configmap ${name} -n ${namespace}.`)
        const { metadata, immutable, data } = asConfigMap(found)
        if (data[key] === wanted) return 'same'
        if (immutable) throw policyError('is immutable', 'Name a ConfigMap that is not immutable.')
        const { resourceVersion } = metadata
        let stored: unknown
        await write(async () => {
          stored = await client.patch(path, { metadata: { resourceVersion }, data: { [key]: wanted } }, deadline)
        })
        if (stored !== undefined) return 'written'
      }
      throw new RotationError('conflict', `Others kept changing ${path} in cluster ${cluster}.`, {
        next: 'Run the same command again, or wait for the next sweep.',
      })
    },
  }
}
