import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import { SecretText } from '../core/secret-text.js'
import { type Access, fileToken, readText } from './files.js'
import type { ClusterSettings } from './settings.js'

/** Where every pod has its account: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

/** bad_config with the field for a file that cannot be read or says nothing that can be used. */
export async function accessOf(cluster: string, settings: ClusterSettings, now: () => number): Promise<Access> {
  if (settings.kubeconfig !== undefined) {
    // Read where it is used, so that nothing else carries a YAML parser.
    const { fromKubeconfig } = await import('./kubeconfig.js')
    return fromKubeconfig(cluster, settings.kubeconfig, settings.context, now)
  }
  if (settings.inCluster) return inCluster(cluster, now, process.env, accountFolder)
  const { server = '', ca, token = '', tokenFile } = settings
  return {
    server,
    ...optional('ca', ca),
    token: tokenFile === undefined ? async () => new SecretText(token) : fileToken(cluster, tokenFile, now),
  }
}

/** As a pod finds it in its environment and its folder. */
export async function inCluster(
  cluster: string,
  now: () => number,
  { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port }: NodeJS.ProcessEnv,
  account: string,
): Promise<Access> {
  if (host === undefined || port === undefined) {
    throw new RotationError('bad_config', `The cluster ${cluster} is set to inCluster, and this is no pod of one.`, {
      field: `clusters.${cluster}.inCluster`,
      next: 'Set server, ca and tokenFile, or run it as a CronJob in that cluster.',
    })
  }
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  return { server, ca: await readText(cluster, 'inCluster', `${account}/ca.crt`), token: fileToken(cluster, `${account}/token`, now) }
}
