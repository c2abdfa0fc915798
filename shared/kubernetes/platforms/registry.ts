import { isBundled } from '../../core/bundled.js'
import { RotationError } from '../../core/errors.js'
import type { PlatformToken } from '../files.js'

interface PlatformRow {
  /** Loads the entry file when a cluster is reached that way, so that nothing else carries the platform's library. */
  readonly load: () => Promise<PlatformToken>
  /** It carries the SDK of this cloud, which no bundle of another one may have. */
  readonly cloud: 'gcp' | 'azure'
}

const rows = {
  azure: { load: async () => (await import('./azure.js')).azureToken, cloud: 'azure' },
  google: { load: async () => (await import('./google.js')).googleToken, cloud: 'gcp' },
} as const satisfies Record<string, PlatformRow>

/** Whose own credentials can be the access to a cluster: `auth` of the configuration. */
export type ClusterPlatform = keyof typeof rows
/** One row for each of them. */
export const platforms: Readonly<Record<ClusterPlatform, PlatformRow>> = rows
export const platformNames = Object.keys(rows) as ClusterPlatform[]

/** bad_config where this bundle is for another cloud. */
export async function loadPlatformToken(platform: ClusterPlatform, cluster: string): Promise<PlatformToken> {
  const { load, cloud } = platforms[platform]
  if (isBundled(cloud)) return load()
  throw new RotationError('bad_config', `This function has no credentials of ${platform} for the cluster ${cluster}.`, {
    field: `clusters.${cluster}.auth`,
    next: 'Use a token of a ServiceAccount there, or run keyturn sweep on that platform.',
  })
}
