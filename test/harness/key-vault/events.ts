import { newestOf, resourceOf, type StoredSecret, type StoredVersion, type Vault } from './model.js'

export type EventType = 'SecretNewVersionCreated' | 'SecretNearExpiry' | 'SecretExpired'

/** As Event Grid delivers it in its own schema: one element of the array. */
export interface EventGridEvent {
  readonly id: string
  readonly topic: string
  /** The secret's name. */
  readonly subject: string
  readonly eventType: `Microsoft.KeyVault.${EventType}`
  readonly eventTime: string
  /** Written in PascalCase. */
  readonly data: {
    readonly Id: string
    readonly VaultName: string
    readonly ObjectType: 'Secret'
    readonly ObjectName: string
    readonly Version: string
    /** Seconds. */
    readonly NBF: number | null
    readonly EXP: number | null
  }
  readonly dataVersion: '1'
  readonly metadataVersion: '1'
}
/** The same event, for a subscription that asks for CloudEvents 1.0. */
export const cloudEventOf = ({ id, topic, subject, eventType, eventTime, data }: EventGridEvent) => ({
  specversion: '1.0' as const,
  id,
  source: topic,
  subject,
  type: eventType,
  time: eventTime,
  data,
})

export interface Happening {
  readonly type: EventType
  readonly vault: Vault
  readonly secret: StoredSecret
  readonly version: StoredVersion
}
export const eventOf = ({ type, vault, secret, version }: Happening, id: string, at: number, url: string): EventGridEvent => ({
  id,
  topic: resourceOf(vault.name),
  subject: secret.name,
  eventType: `Microsoft.KeyVault.${type}`,
  eventTime: new Date(at).toISOString(),
  data: {
    Id: `${url}/secrets/${secret.name}/${version.id}`,
    VaultName: vault.name,
    ObjectType: 'Secret',
    ObjectName: secret.name,
    Version: version.id,
    NBF: version.notBefore ?? null,
    EXP: version.expires ?? null,
  },
  dataVersion: '1',
  metadataVersion: '1',
})

/** Not configurable for secrets. */
const nearExpirySeconds = 30 * 86_400

/** Who tells of a version that it ends: of the newest of each secret alone, and once. */
export class Watch {
  readonly #told = new Set<string>()
  clear = (): void => this.#told.clear()
  forget(version: string): void {
    for (const type of ['SecretNearExpiry', 'SecretExpired']) this.#told.delete(`${type} ${version}`)
  }
  due(vault: Vault, nowSeconds: number): readonly Happening[] {
    return [...vault.secrets.values()].flatMap((secret) => {
      const version = newestOf(secret)
      const { expires, watched } = version
      if (expires === undefined || !watched || secret.deletedAt !== undefined) return []
      const types: readonly EventType[] = [
        ...(nowSeconds >= expires - nearExpirySeconds ? ['SecretNearExpiry' as const] : []),
        ...(nowSeconds >= expires ? ['SecretExpired' as const] : []),
      ]
      const fresh = types.filter((type) => !this.#told.has(`${type} ${version.id}`))
      for (const type of fresh) this.#told.add(`${type} ${version.id}`)
      return fresh.map((type) => ({ type, vault, secret, version }))
    })
  }
}
