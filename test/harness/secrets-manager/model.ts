/** What the double keeps of one secret; names and rules as the service's own documentation has them. */
export interface Version {
  readonly id: string
  readonly createdAt: number
  /** undefined: the placeholder that RotateSecret makes. */
  value?: string
  readonly stages: Set<string>
}

export interface Rotation {
  enabled: boolean
  functionArn?: string
  rules?: RotationRules
  /** When the rules were given, and when a rotation was last started by them. */
  setAt?: number
  triedAt?: number
  /** The attempt that is not finished: its token. */
  inFlight?: string
  /** A test-only run: nothing is kept of it. */
  testOnly?: boolean
  attempts: number
}

export interface RotationRules {
  readonly AutomaticallyAfterDays?: number
  readonly ScheduleExpression?: string
  readonly Duration?: string
}

export interface Secret {
  readonly name: string
  readonly arn: string
  readonly versions: Map<string, Version>
  tags: Map<string, string>
  rotation: Rotation
  readonly createdAt: number
  changedAt: number
  rotatedAt?: number
  /** When somebody last made another value current by hand: the schedule counts from there, too. */
  putAt?: number
  deletedAt?: number
  owningService?: string
  primaryRegion?: string
  replicas: { readonly Region: string; Status: 'InSync' | 'InProgress' | 'Failed' }[]
  description?: string
}

export interface DoubleEvent {
  readonly at: number
  readonly name: string
  readonly secret: string
  readonly detail?: string
}

/** An answer that is an error of the service model. */
export class ServiceError extends Error {
  readonly type: string
  readonly status: number
  constructor(type: string, message: string, status = 400) {
    super(message)
    this.type = type
    this.status = status
  }
}

export const notFound = (message = "Secrets Manager can't find the specified secret.") =>
  new ServiceError('ResourceNotFoundException', message)
export const badParameter = (message: string) => new ServiceError('InvalidParameterException', message)
export const badRequest = (message: string) => new ServiceError('InvalidRequestException', message)

export const valueBytesMax = 65_536
export const stagesMax = 20
/** Versions without a label that are kept beside the labelled ones; none younger than a day is dropped. */
export const unlabelledMax = 100
export const dayMs = 86_400_000

export const current = 'AWSCURRENT'
export const previous = 'AWSPREVIOUS'
export const pending = 'AWSPENDING'

export const holderOf = (secret: Secret, stage: string): Version | undefined =>
  [...secret.versions.values()].find(({ stages }) => stages.has(stage))

/** A label sits on one version at most; where AWSCURRENT comes from gets AWSPREVIOUS. */
export function moveStage(secret: Secret, stage: string, to: Version): void {
  const from = holderOf(secret, stage)
  if (from === to) return
  from?.stages.delete(stage)
  to.stages.add(stage)
  if (stage === current && from !== undefined) {
    holderOf(secret, previous)?.stages.delete(previous)
    from.stages.add(previous)
  }
}

/** The service drops old versions that carry no label. */
export function purge(secret: Secret, now: number): void {
  const bare = [...secret.versions.values()].filter(({ stages }) => stages.size === 0).sort((a, b) => b.createdAt - a.createdAt)
  for (const version of bare.slice(unlabelledMax)) if (now - version.createdAt > dayMs) secret.versions.delete(version.id)
}
