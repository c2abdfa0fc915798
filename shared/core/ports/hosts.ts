import type { SecretText } from '../secret-text.js'
import type { Administrator } from './rotator.js'

/**
 * A platform that knows the hosts of databases. It says whether another host is the administrator's database or a read replica of it. It is asked
 * only if the administrator's secret is in one of `stores`, and names no host or another one than the rotated secret.
 */
export interface Hosts {
  /** Stores whose secrets may hold administrators of this platform's databases. */
  readonly stores: readonly string[]
  /**
   * Returns the administrator with the host and port that its secret lacks, and in `hosts` the host of `rotated` if that is the same database. A host
   * that cannot be confirmed stays as it is, and is refused where it is used. `tags` reads the tags of the administrator's secret, only if the secret
   * names no host. denied if the platform may not be asked, admin_mismatch for a secret without a host that is not the platform's, not_found for a
   * database that is gone.
   */
  resolve(admin: Administrator, rotated: SecretText, tags: () => Promise<Readonly<Record<string, string>>>): Promise<Administrator>
}
