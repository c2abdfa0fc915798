import type { Policy, SecretRef, VersionId } from '../../shared/core/ports/words.js'
import type { SecretText } from '../../shared/core/secret-text.js'
import { addForeign } from './gcp.js'
import { CountedStore } from './gcp-counted.js'
import type { GcpSecretManagerDouble } from './gcp-secret-manager.js'

/** Somebody makes the alias name a version. */
export function moveAlias(double: GcpSecretManagerDouble, { key }: SecretRef, version: VersionId): void {
  const aliases = double.secrets.get(key)?.aliases ?? new Map()
  const versionAliases = { ...Object.fromEntries(aliases), current: Number(version) }
  double.do('UpdateSecret', { secret: { name: key, versionAliases }, updateMask: { paths: ['version_aliases'] } })
}

/** From now on consumers read by the alias alone. */
export function goByAlias(double: GcpSecretManagerDouble, ref: SecretRef): void {
  moveAlias(double, ref, '1' as VersionId)
  const annotations = { ...Object.fromEntries(double.secrets.get(ref.key)?.annotations ?? []), 'keyturn-aliases': 'only' }
  double.do('UpdateSecret', { secret: { name: ref.key, annotations }, updateMask: { paths: ['annotations'] } })
}

/** Somebody adds a version, and makes the alias name it. */
export function publishForeign(double: GcpSecretManagerDouble, ref: SecretRef, value: SecretText): VersionId {
  const version = addForeign(double, ref, value)
  moveAlias(double, ref, version)
  return version
}

/** Each of its secrets is read by the alias alone. */
export class AliasStore extends CountedStore {
  override async create(name: string, value: SecretText, policy: Policy): Promise<SecretRef> {
    const ref = await super.create(name, value, policy)
    goByAlias(this.double, ref)
    return ref
  }
  override writeForeign(ref: SecretRef, value: SecretText): VersionId {
    return publishForeign(this.double, ref, value)
  }
  override readonly readsLatest = false
}
