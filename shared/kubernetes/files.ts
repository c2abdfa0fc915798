import { UnfitFileError } from '../core/disk-error.js'
import { RotationError, systemCodeOf } from '../core/errors.js'
import { readRegular } from '../core/read-file.js'
import { SecretText } from '../core/secret-text.js'

const tokenMsMax = 60_000
/** Many times the certificates of any cluster. */
const bytesMax = 4 * 1024 * 1024

/** Where an API server is, and as whom we call it. */
export interface Access {
  readonly server: string
  readonly ca?: string
  /** The name in the server's certificate, where it is not that of the URL. */
  readonly servername?: string
  readonly cert?: string
  readonly key?: SecretText
  token?(): Promise<SecretText>
}

/** Makes what gives the token of each call, and renews it in time. */
export type PlatformToken = (cluster: string) => () => Promise<SecretText>

/** A token from a file. It is read again when it is a minute old, because whatever mounts the file renews it. */
export function fileToken(cluster: string, file: string, now: () => number): () => Promise<SecretText> {
  let known: { readonly token: SecretText; readonly at: number } | undefined
  return async () => {
    if (known === undefined || now() - known.at > tokenMsMax) {
      const text = await readText(cluster, 'tokenFile', file)
      known = { token: new SecretText(text.trim()), at: now() }
    }
    return known.token
  }
}

/** Reads a file of a cluster. bad_config with the field of the cluster where it cannot be read. */
export async function readText(cluster: string, field: string, file: string): Promise<string> {
  try {
    return await readRegular(file, bytesMax)
  } catch (cause) {
    const code = cause instanceof UnfitFileError ? cause.message : (systemCodeOf(cause) ?? 'error')
    throw new RotationError('bad_config', `The file ${file} of cluster ${cluster} could not be read (${code}).`, {
      field: `clusters.${cluster}.${field}`,
      next: 'Correct the path, or mount the file there.',
    })
  }
}
