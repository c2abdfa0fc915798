import { readFile } from 'node:fs/promises'
import { RotationError, systemCodeOf } from '../core/errors.js'
import { SecretText } from '../core/secret-text.js'
import type { ClusterSettings } from './settings.js'

/** Where every pod has its account: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'
const tokenMsMax = 60_000

/** Where an API server is, and who we are there. */
export interface Access {
  readonly server: string
  readonly ca?: string
  /** The name in the server's certificate, where it is not that of the URL. */
  readonly servername?: string
  readonly cert?: string
  readonly key?: SecretText
  token?(): Promise<SecretText>
}

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
    ...(ca === undefined ? {} : { ca }),
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

/** Read anew when it is a minute old: whoever mounts it renews it. */
export function fileToken(cluster: string, file: string, now: () => number): () => Promise<SecretText> {
  let known: { readonly token: SecretText; readonly at: number } | undefined
  return async () => {
    if (known === undefined || now() - known.at > tokenMsMax)
      known = { token: new SecretText((await readText(cluster, 'tokenFile', file)).trim()), at: now() }
    return known.token
  }
}

export async function readText(cluster: string, field: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new RotationError('bad_config', `The file ${file} of cluster ${cluster} could not be read (${systemCodeOf(cause) ?? 'error'}).`, {
      field: `clusters.${cluster}.${field}`,
      next: 'Correct the path, or mount the file there.',
    })
  }
}
