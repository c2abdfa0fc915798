import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import { SecretText } from '../core/secret-text.js'
import { type Access, fileToken, readText } from './files.js'
import { loadPlatformToken } from './platforms/registry.js'
import type { ClusterSettings } from './settings.js'

/** The folder in which every pod finds its account: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Reads how an API server is reached. bad_config with the field for a file that cannot be read or used. */
export async function accessOf(cluster: string, settings: ClusterSettings, now: () => number): Promise<Access> {
  if (settings.kubeconfig !== undefined) {
    // Imported only where it is used, so that nothing else carries a YAML parser.
    const { fromKubeconfig } = await import('./kubeconfig.js')
    return fromKubeconfig(cluster, settings.kubeconfig, settings.context, now)
  }
  if (settings.inCluster) return inCluster(cluster, now, process.env, accountFolder)
  const { server = '', ca } = settings
  return { server, ...optional('ca', ca), token: await tokenOf(cluster, settings, now) }
}

async function tokenOf(
  cluster: string,
  { auth, token = '', tokenFile }: ClusterSettings,
  now: () => number,
): Promise<() => Promise<SecretText>> {
  if (auth !== undefined) return (await loadPlatformToken(auth, cluster))(cluster)
  return tokenFile === undefined ? async () => new SecretText(token) : fileToken(cluster, tokenFile, now)
}

/** The access that a pod finds in its environment and its folder. */
export async function inCluster(
  cluster: string,
  now: () => number,
  { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port }: NodeJS.ProcessEnv,
  account: string,
): Promise<Access> {
  if (host === undefined || port === undefined) {
    throw new RotationError('bad_config', `The cluster ${cluster} is set to inCluster, but this does not run in a pod.`, {
      field: `clusters.${cluster}.inCluster`,
      next: 'Set server, ca and tokenFile, or run it as a CronJob in that cluster.',
    })
  }
  const name = host.includes(':') ? `[${host}]` : host
  return {
    server: `https://${name}:${port}`,
    ca: await readText(cluster, 'inCluster', `${account}/ca.crt`),
    token: fileToken(cluster, `${account}/token`, now),
  }
}
