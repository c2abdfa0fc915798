import { optional } from '../../../shared/core/optional.js'
import { newestOf, type StoredSecret, type StoredVersion, type Vault } from './model.js'

const recoveryLevelOf = ({ purgeProtected, retentionDays }: Vault): string =>
  `${retentionDays < 90 ? 'Customized' : ''}Recoverable${purgeProtected ? '' : '+Purgeable'}`

const attributesOf = (vault: Vault, { enabled, notBefore, expires, created, updated }: StoredVersion) => ({
  enabled,
  ...optional('nbf', notBefore),
  ...optional('exp', expires),
  created,
  updated,
  recoveryLevel: recoveryLevelOf(vault),
  recoverableDays: vault.retentionDays,
})
const propertiesOf = (vault: Vault, version: StoredVersion) => ({
  ...optional('contentType', version.contentType),
  attributes: attributesOf(vault, version),
  ...optional('tags', version.tags),
})

/** One version, without its value. `base` is the vault's URL as the caller wrote it. */
export const versionView = (vault: Vault, base: string, { name }: StoredSecret, version: StoredVersion) => ({
  id: `${base}/secrets/${name}/${version.id}`,
  ...propertiesOf(vault, version),
})
export const bundleView = (vault: Vault, base: string, secret: StoredSecret, version: StoredVersion) => ({
  value: version.value,
  ...versionView(vault, base, secret, version),
})
/** A secret in the list of all: named without a version, and with what its newest version has. */
export const secretView = (vault: Vault, base: string, secret: StoredSecret) => ({
  id: `${base}/secrets/${secret.name}`,
  ...propertiesOf(vault, newestOf(secret)),
})
export const purgedAt = (vault: Vault, deletedAt: number): number => deletedAt + vault.retentionDays * 86_400
/** What a deleted secret adds to a view. */
export const deletedView = (vault: Vault, base: string, { name, deletedAt = 0 }: StoredSecret) => ({
  recoveryId: `${base}/deletedsecrets/${name}`,
  deletedDate: deletedAt,
  scheduledPurgeDate: purgedAt(vault, deletedAt),
})
