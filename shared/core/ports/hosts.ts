import type { SecretText } from '../secret-text.js'
import type { Administrator } from './rotator.js'

/**
 * A platform that knows hosts of databases: whether another host is the same database as the administrator's, or a read replica of it. It is asked
 * only where the administrator's secret is in one of `stores` and names another host than the rotated secret, or none.
 */
export interface Hosts {
  /** Stores whose secrets may hold administrators of this platform's databases. */
  readonly stores: readonly string[]
  /**
   * The administrator with the host and port that its secret lacks, and in `hosts` the host of `rotated` where that is the same database. What cannot
   * be confirmed stays as it is, and is refused where it is used. `tags`, those of the administrator's secret, are read only where it names no host.
   * denied where the platform may not be asked, admin_mismatch for a secret without a host that is not the platform's, not_found for a database that
   * is gone.
   */
  resolve(admin: Administrator, rotated: SecretText, tags: () => Promise<Readonly<Record<string, string>>>): Promise<Administrator>
}
