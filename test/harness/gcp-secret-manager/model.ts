import type { protos } from '@google-cloud/secret-manager'
import { Metadata, type StatusObject, status } from '@grpc/grpc-js'

/** What the double keeps of a secret and its versions. Names and rules are those of the service's protos and documentation. */
export type State = 'ENABLED' | 'DISABLED' | 'DESTROYED'

export interface StoredVersion {
  /** 1, 2, 3 … in the order of creation. */
  readonly id: number
  readonly createdAt: number
  readonly crc32c: number
  readonly clientChecksum: boolean
  /** undefined once destroyed. */
  data: Uint8Array | undefined
  state: State
  etag: string
  destroyedAt?: number
  /** A delayed destruction: when it happens. */
  destroyAt?: number
}

export interface Rotation {
  nextAt?: number
  periodMs?: number
}

type WireType = protos.google.cloud.secretmanager.v1.ISecret['secretType']

export interface StoredSecret {
  /** With the project's number, as the service answers it: `projects/123/secrets/s` or `projects/123/locations/l/secrets/s`. */
  readonly name: string
  /** Rises with each secret that is created. */
  readonly order: number
  readonly createdAt: number
  readonly replication: protos.google.cloud.secretmanager.v1.IReplication | undefined
  labels: Map<string, string>
  annotations: Map<string, string>
  aliases: Map<string, number>
  topics: readonly string[]
  etag: string
  rotation?: Rotation
  /** Set when it is made, for good. */
  readonly secretType?: WireType
  /** Whether the service itself rotates its value. */
  managed?: 'ACTIVE' | 'INACTIVE'
  expireAt?: number
  destroyTtlMs?: number
  /** Oldest first. */
  versions: StoredVersion[]
  policy: protos.google.iam.v1.IPolicy
}

export const maxima = {
  payloadBytes: 65_536,
  labels: 64,
  aliases: 50,
  nameCharacters: 63,
  topics: 10,
  annotationBytes: 16_384,
  pageSize: 25_000,
  rotationMs: 3_153_600_000_000,
} as const
/** Writes a second that the service promises: of one secret (AddSecretVersion and UpdateSecret), and of the state of one version. */
export const writeRates = { global: { secret: 2, version: 1 }, regional: { secret: 80, version: 50 } } as const

export interface ErrorInfo {
  readonly reason: string
  readonly domain: string
  readonly metadata: Readonly<Record<string, string>>
}

/** An answer that is an error. */
export class StatusError extends Error {
  readonly code: number
  readonly info: ErrorInfo | undefined
  constructor(code: number, message: string, info?: ErrorInfo) {
    super(message)
    this.code = code
    this.info = info
  }
  /** As it goes onto the wire; the details as the official clients decode them. */
  toStatus(): Partial<StatusObject> {
    const metadata = new Metadata()
    if (this.info !== undefined) metadata.set('grpc-status-details-bin', statusDetails(this.code, this.message, this.info))
    return { code: this.code, details: this.message, metadata }
  }
}

/** A google.rpc.Status with one google.rpc.ErrorInfo, whose proto is not in the client's package. */
function statusDetails(code: number, message: string, { reason, domain, metadata }: ErrorInfo): Buffer {
  const pairs = Object.entries(metadata).map(([key, value]) => field(3, Buffer.concat([field(1, key), field(2, value)])))
  const info = Buffer.concat([field(1, reason), field(2, domain), ...pairs])
  const any = Buffer.concat([field(1, 'type.googleapis.com/google.rpc.ErrorInfo'), field(2, info)])
  return Buffer.concat([Buffer.from([0x08, code]), field(2, message), field(3, any)])
}
/** One length-delimited field of a protobuf message. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content)
  const length: number[] = []
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest)
    if (rest <= 0x7f) break
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes])
}

/** The text is the double's own, unless a comment says that it was seen in the field: nothing may depend on it. */
export const badArgument = (text: string): StatusError => new StatusError(status.INVALID_ARGUMENT, text)
/** The double's own text; the code is documented. */
export const etagDiffers = (name: string): StatusError =>
  new StatusError(status.FAILED_PRECONDITION, `The etag provided for [${name}] does not match its current etag.`)
/** Seen in the field. */
export const wrongState = (name: string, state: State): StatusError =>
  new StatusError(status.FAILED_PRECONDITION, `Secret Version [${name}] is in ${state} state.`)
/** Seen in the field, for an access to a secret that is missing or empty. */
export const noVersions = (name: string): StatusError => new StatusError(status.NOT_FOUND, `Secret [${name}] not found or has no versions.`)
export const noSecret = (name: string): StatusError => new StatusError(status.NOT_FOUND, `Secret [${name}] not found.`)
export const noVersion = (name: string): StatusError => new StatusError(status.NOT_FOUND, `Secret Version [${name}] not found.`)
export const alreadyThere = (name: string): StatusError => new StatusError(status.ALREADY_EXISTS, `Secret [${name}] already exists.`)

/** Codes and texts are the double's own. They name the topic. */
export const noTopic = (topic: string): StatusError =>
  new StatusError(status.FAILED_PRECONDITION, `The Pub/Sub topic [${topic}] was not found.`)
export const topicDenied = (topic: string): StatusError =>
  new StatusError(status.PERMISSION_DENIED, `The Secret Manager service identity may not publish to the topic [${topic}].`)

/** Both texts were seen in the field: the newer one names no resource, and has a link for the administrator. */
export function permissionDenied(permission: string, resource: string, text: 'resource' | 'link'): StatusError {
  const said =
    text === 'resource'
      ? `Permission '${permission}' denied for resource '${resource}' (or it may not exist).`
      : `Permission '${permission}' denied on resource (or it may not exist). Remediate access with this Troubleshooter URL or share it with your administrator - https://console.cloud.google.com/iam-admin/troubleshooter/summary;errorId=1 .`
  const metadata = { permission, resource }
  return new StatusError(status.PERMISSION_DENIED, said, { reason: 'IAM_PERMISSION_DENIED', domain: 'iam.googleapis.com', metadata })
}
/** Seen in the field. */
export function apiDisabled(projectNumber: string): StatusError {
  const url = `https://console.developers.google.com/apis/api/secretmanager.googleapis.com/overview?project=${projectNumber}`
  const said = `Secret Manager API has not been used in project ${projectNumber} before or it is disabled. Enable it by visiting ${url} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.`
  const metadata = { consumer: `projects/${projectNumber}`, service: 'secretmanager.googleapis.com' }
  return new StatusError(status.PERMISSION_DENIED, said, { reason: 'SERVICE_DISABLED', domain: 'googleapis.com', metadata })
}
/** Seen in the field. */
export function projectMissing(project: string): StatusError {
  const metadata = { consumer: `projects/${project}`, service: 'secretmanager.googleapis.com' }
  const info = { reason: 'CONSUMER_INVALID', domain: 'googleapis.com', metadata }
  return new StatusError(status.PERMISSION_DENIED, `Permission denied on resource project ${project}.`, info)
}
/** Seen in the field, of other services of the same platform. */
export const quotaExceeded = (projectNumber: string): StatusError =>
  new StatusError(
    status.RESOURCE_EXHAUSTED,
    `Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute' of service 'secretmanager.googleapis.com' for consumer 'project_number:${projectNumber}'.`,
  )
export const unauthenticated = (): StatusError =>
  new StatusError(
    status.UNAUTHENTICATED,
    'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.',
  )

/** CRC-32C (Castagnoli), bit by bit: slow, and not the code that it checks. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0)
  }
  return (crc ^ 0xffff_ffff) >>> 0
}
