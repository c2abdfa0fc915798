import { readFile } from 'node:fs/promises'
import { RotationError, systemCodeOf } from '../core/errors.js'
import { SecretText } from '../core/secret-text.js'

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

/** Read anew when it is a minute old: whoever mounts it renews it. */
export function fileToken(cluster: string, file: string, now: () => number): () => Promise<SecretText> {
  let known: { readonly token: SecretText; readonly at: number } | undefined
  return async () => {
    if (known === undefined || now() - known.at > tokenMsMax)
      known = { token: new SecretText((await readText(cluster, 'tokenFile', file)).trim()), at: now() }
    return known.token
  }
}

/** bad_config with the field of the cluster for a file that cannot be read. */
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
