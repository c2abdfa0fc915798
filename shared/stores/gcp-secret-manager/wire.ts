import type { protos } from '@google-cloud/secret-manager'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import { crc32c } from './crc32c.js'
import { readName } from './names.js'

type Messages = typeof protos.google.cloud.secretmanager.v1
type WireSecret = Parameters<Messages['Secret']['encode']>[0]
type WireVersion = Parameters<Messages['SecretVersion']['encode']>[0]
type WirePayload = Parameters<Messages['AccessSecretVersionResponse']['encode']>[0]

/** A secret without its versions. Maps are whole, with what others wrote: an update replaces a map. */
export interface Secret {
  /** With the project's number. */
  readonly resource: string
  readonly etag: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Numbers of versions, as texts: they are longer on the wire than those of JavaScript. */
  readonly aliases: Readonly<Record<string, string>>
  /** A destroyed version can be had back for a while. */
  readonly destroysLater: boolean
  /** Where the service publishes what happens to the secret, as `projects/P/topics/T`. */
  readonly topics: readonly string[]
  /** When the service says next that a rotation is due. */
  readonly nextAt?: number
  /** How often it says so. Its documentation calls this a field for input only, so that an answer may not have it. */
  readonly everyMs?: number
  /** The service itself rotates its value. */
  readonly isManaged?: true
}

/** A version without its payload. */
export interface Version {
  readonly number: number
  readonly createdAt: number
  readonly isEnabled: boolean
}

/** A payload whose checksum fits. */
export interface Payload {
  readonly number: number
  /** The version's name, with the project's number. */
  readonly resource: string
  readonly bytes: Uint8Array
}

interface Seconds {
  readonly seconds?: number | string | { toString(): string } | null
  readonly nanos?: number | null
}
const msOf = ({ seconds, nanos }: Seconds): number => Number(String(seconds ?? 0)) * 1000 + Math.floor((nanos ?? 0) / 1_000_000)

/** Reads a secret from an answer. */
export function secretOf(answer: WireSecret): Secret {
  const { name, etag, labels, annotations, versionAliases, versionDestroyTtl, rotation, topics, secretType } = answer
  const aliases = Object.entries(versionAliases ?? {}).map(([alias, number]) => [alias, String(number)])
  const { nextRotationTime: next, rotationPeriod: period } = rotation ?? {}
  return {
    resource: name ?? '',
    etag: etag ?? '',
    labels: { ...labels },
    annotations: { ...annotations },
    aliases: Object.fromEntries(aliases),
    destroysLater: versionDestroyTtl !== undefined && versionDestroyTtl !== null && msOf(versionDestroyTtl) > 0,
    topics: (topics ?? []).map((topic) => topic.name ?? ''),
    ...optional('nextAt', next ? msOf(next) : undefined),
    ...optional('everyMs', period ? msOf(period) : undefined),
    ...(isManagedType(secretType) || isActive(rotation?.managedRotationStatus?.state) ? { isManaged: true as const } : {}),
  }
}

// An enumeration is a number or its name.
const isManagedType = (type: WireSecret['secretType']): boolean => type === 'CLOUD_SQL_DB_CREDENTIALS' || type === 1
const isActive = (state: unknown): boolean => state === 'ACTIVE' || state === 1

/** Reads a version from an answer. */
export function versionOf({ name, createTime, state }: WireVersion): Version {
  return { number: numberIn(name ?? ''), createdAt: createTime ? msOf(createTime) : 0, isEnabled: state === 'ENABLED' || state === 1 }
}

const numberIn = (resource: string): number => Number(readName(resource).version)

/** Reads a payload from an answer. unavailable where its checksum does not fit: the next attempt reads it again. */
export function payloadOf({ name, payload }: WirePayload): Payload {
  const { data, dataCrc32c } = payload ?? {}
  const bytes = typeof data === 'string' ? Buffer.from(data, 'base64') : (data ?? new Uint8Array())
  if (dataCrc32c === undefined || dataCrc32c === null || String(dataCrc32c) !== String(crc32c(bytes))) {
    throw new RotationError('unavailable', `The payload of ${name} does not match its checksum.`, { next: 'It is read again.' })
  }
  return { number: numberIn(name ?? ''), resource: name ?? '', bytes }
}
