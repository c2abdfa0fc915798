import type { protos } from '@google-cloud/secret-manager'
import type { StoredSecret, StoredVersion } from './model.js'

type Api = typeof protos.google.cloud.secretmanager.v1
export type WireSecret = Parameters<Api['Secret']['encode']>[0]
export type WireVersion = Parameters<Api['SecretVersion']['encode']>[0]
type Timestamp = protos.google.protobuf.ITimestamp
type Duration = protos.google.protobuf.IDuration

const timestamp = (ms: number): Timestamp => ({ seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 })
const duration = (ms: number): Duration => ({ seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 })
/** Of a timestamp or a duration. The numbers on the wire may be longer than those of JavaScript. */
export const msOf = ({ seconds, nanos }: Timestamp | Duration): number => Number(String(seconds ?? 0)) * 1000 + (nanos ?? 0) / 1_000_000

export const versionName = (secret: StoredSecret, { id }: StoredVersion): string => `${secret.name}/versions/${id}`

/** ttl is only for input; so is rotation_period by the documentation, and others read it (`showsPeriod`). */
export function wireSecret(secret: StoredSecret, showsPeriod: boolean): WireSecret {
  const { name, etag, topics, rotation, replication, expireAt, destroyTtlMs, secretType, managed } = secret
  return {
    name,
    etag,
    createTime: timestamp(secret.createdAt),
    ...(replication === undefined ? {} : { replication }),
    labels: Object.fromEntries(secret.labels),
    annotations: Object.fromEntries(secret.annotations),
    versionAliases: Object.fromEntries(secret.aliases),
    topics: topics.map((topic) => ({ name: topic })),
    ...(rotation?.nextAt === undefined ? {} : { rotation: wireRotation(rotation.nextAt, showsPeriod ? rotation.periodMs : undefined) }),
    ...(managed === undefined ? {} : { rotation: { managedRotationStatus: { state: managed === 'ACTIVE' ? 1 : 2 } } }),
    ...(secretType ? { secretType: secretType === 'CLOUD_SQL_DB_CREDENTIALS' ? 1 : secretType } : {}), // the wire has the number
    ...(expireAt === undefined ? {} : { expireTime: timestamp(expireAt) }),
    ...(destroyTtlMs === undefined ? {} : { versionDestroyTtl: duration(destroyTtlMs) }),
  }
}
const wireRotation = (nextAt: number, periodMs: number | undefined) => ({
  nextRotationTime: timestamp(nextAt),
  ...(periodMs === undefined ? {} : { rotationPeriod: duration(periodMs) }),
})
const states = { ENABLED: 1, DISABLED: 2, DESTROYED: 3 } as const
export function wireVersion(secret: StoredSecret, version: StoredVersion): WireVersion {
  const { etag, state, clientChecksum, createdAt, destroyedAt, destroyAt } = version
  return {
    name: versionName(secret, version),
    etag,
    state: states[state],
    createTime: timestamp(createdAt),
    replicationStatus: secret.replication?.userManaged ? { userManaged: {} } : { automatic: {} },
    clientSpecifiedPayloadChecksum: clientChecksum,
    ...(destroyedAt === undefined ? {} : { destroyTime: timestamp(destroyedAt) }),
    ...(destroyAt === undefined ? {} : { scheduledDestroyTime: timestamp(destroyAt) }),
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()
const unlessEmpty = <T extends object>(name: string, value: T): Record<string, T> =>
  Object.keys(value).length === 0 ? {} : { [name]: value }
/** The proto3 JSON of a message's data. */
export function jsonSecret(secret: StoredSecret): unknown {
  const { name, etag, topics, rotation, replication, expireAt, destroyTtlMs } = secret
  return {
    name,
    etag,
    createTime: iso(secret.createdAt),
    ...(replication === undefined ? {} : { replication }),
    ...unlessEmpty('labels', Object.fromEntries(secret.labels)),
    ...unlessEmpty('annotations', Object.fromEntries(secret.annotations)),
    ...unlessEmpty('versionAliases', Object.fromEntries([...secret.aliases].map(([alias, id]) => [alias, String(id)]))),
    ...unlessEmpty(
      'topics',
      topics.map((topic) => ({ name: topic })),
    ),
    ...(rotation?.nextAt === undefined ? {} : { rotation: { nextRotationTime: iso(rotation.nextAt) } }),
    ...(expireAt === undefined ? {} : { expireTime: iso(expireAt) }),
    ...(destroyTtlMs === undefined ? {} : { versionDestroyTtl: `${destroyTtlMs / 1000}s` }),
  }
}
export function jsonVersion(secret: StoredSecret, version: StoredVersion): unknown {
  const { etag, state, clientChecksum, createdAt, destroyedAt, destroyAt } = version
  return {
    name: versionName(secret, version),
    etag,
    state,
    createTime: iso(createdAt),
    replicationStatus: secret.replication?.userManaged ? { userManaged: {} } : { automatic: {} },
    ...(clientChecksum ? { clientSpecifiedPayloadChecksum: true } : {}),
    ...(destroyedAt === undefined ? {} : { destroyTime: iso(destroyedAt) }),
    ...(destroyAt === undefined ? {} : { scheduledDestroyTime: iso(destroyAt) }),
  }
}
