import type { PlatformToken } from './files.js'
import type { ClusterPlatform } from './settings.js'

/** Each is imported only where a cluster is reached that way, so that nothing else carries a platform's library. */
export const platformTokens: Readonly<Record<ClusterPlatform, () => Promise<PlatformToken>>> = {
  google: async () => (await import('./google-token.js')).googleToken,
}
