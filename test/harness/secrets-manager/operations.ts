import type { SecretsManagerDouble } from '../secrets-manager.js'
import {
  badParameter,
  badRequest,
  current,
  holderOf,
  moveStage,
  notFound,
  pending,
  previous,
  purge,
  type Secret,
  ServiceError,
  stagesMax,
  type Version,
  valueBytesMax,
} from './model.js'

export type Input = Readonly<Record<string, unknown>>
export type Output = Readonly<Record<string, unknown>>

export const text = (input: Input, name: string): string | undefined => {
  const value = input[name]
  return typeof value === 'string' ? value : undefined
}
const seconds = (ms: number): number => ms / 1000
const stagesIn = (input: Input): readonly string[] | undefined =>
  Array.isArray(input.VersionStages) ? input.VersionStages.map(String) : undefined
const tagsIn = (input: Input): readonly [string, string][] =>
  Array.isArray(input.Tags) ? input.Tags.map(({ Key, Value }: { Key: string; Value: string }) => [Key, Value]) : []

const legalTag = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u
function setTags(secret: Secret, tags: readonly [string, string][]): void {
  for (const [key, value] of tags) {
    if (key.startsWith('aws:') || key.length > 128 || value.length > 256 || !legalTag.test(key) || !legalTag.test(value))
      throw badParameter(`The tag ${key} is not valid.`)
  }
  if (new Set([...secret.tags.keys(), ...tags.map(([key]) => key)]).size > 50)
    throw new ServiceError('LimitExceededException', 'Too many tags.')
  for (const [key, value] of tags) secret.tags.set(key, value)
}

function tokenOf(input: Input): string {
  const token = text(input, 'ClientRequestToken')
  if (token === undefined) throw badParameter('You must provide a ClientRequestToken value. We recommend a UUID-type value.')
  if (token.length < 32 || token.length > 64) throw badParameter('The ClientRequestToken must be 32-64 characters long.')
  return token
}

function givenValue(input: Input): string {
  const value = text(input, 'SecretString')
  if (value === undefined || value === '') throw badParameter('You must provide either SecretString or SecretBinary.')
  if (Buffer.byteLength(value) > valueBytesMax)
    throw new ServiceError(
      'ValidationException',
      "1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536",
    )
  return value
}

const labels = (secret: Secret, all = false): Record<string, readonly string[]> =>
  Object.fromEntries(
    [...secret.versions.values()].filter(({ stages }) => all || stages.size > 0).map(({ id, stages }) => [id, [...stages]]),
  )

const alive = (secret: Secret): Secret => {
  if (secret.deletedAt !== undefined) throw badRequest('You can’t perform this operation on the secret because it was marked for deletion.')
  return secret
}

/** The calls that read and write one secret. */
export const operations: Readonly<Record<string, (double: SecretsManagerDouble, input: Input) => Output>> = {
  CreateSecret: (double, input) => {
    const name = text(input, 'Name') ?? ''
    const token = tokenOf(input)
    if (!/^[A-Za-z0-9/_+=.@-]{1,512}$/.test(name))
      throw badParameter('Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!')
    const there = double.secrets.get(name)
    if (there !== undefined) {
      if (there.versions.get(token)?.value === text(input, 'SecretString')) return { ARN: there.arn, Name: name, VersionId: token }
      throw new ServiceError('ResourceExistsException', `The operation failed because the secret ${name} already exists.`)
    }
    const secret = double.make(name)
    setTags(secret, tagsIn(input))
    double.secrets.set(name, secret)
    if (text(input, 'SecretString') === undefined) return { ARN: secret.arn, Name: name }
    secret.versions.set(token, { id: token, createdAt: double.now(), value: givenValue(input), stages: new Set([current]) })
    return { ARN: secret.arn, Name: name, VersionId: token }
  },

  PutSecretValue: (double, input) => {
    const secret = alive(double.find(input))
    const token = tokenOf(input)
    const value = givenValue(input)
    const asked = stagesIn(input)
    if (asked !== undefined && (asked.length === 0 || asked.length > stagesMax))
      throw badParameter('You must provide 1 to 20 VersionStages.')
    const there = secret.versions.get(token)
    if (there?.value !== undefined && there.value !== value)
      throw new ServiceError(
        'ResourceExistsException',
        `A resource with the ID you requested already exists. Version ${token} has another value.`,
      )
    const ofRotation = secret.rotation.inFlight === token
    if (ofRotation && text(input, 'RotationToken') === undefined && double.wantsRotationToken)
      throw new ServiceError('AccessDeniedException', 'The rotation token is missing.')
    const version: Version = there ?? { id: token, createdAt: double.now(), stages: new Set() }
    if (there?.value === undefined) version.value = value
    secret.versions.set(token, version)
    const first = holderOf(secret, current) === undefined
    for (const stage of asked ?? [current]) moveStage(secret, stage, version)
    if (first) moveStage(secret, current, version)
    secret.changedAt = double.now()
    for (const replica of secret.replicas) replica.Status = 'InProgress'
    if (!ofRotation) {
      if (version.stages.has(current)) secret.putAt = double.now()
      double.abandon(secret)
    }
    purge(secret, double.now())
    return { ARN: secret.arn, Name: secret.name, VersionId: token, VersionStages: [...version.stages] }
  },

  /** A value by hand is a PutSecretValue that becomes current; the description is not a value. */
  UpdateSecret: (double, input) => {
    const secret = alive(double.find(input))
    const description = text(input, 'Description')
    if (description !== undefined) secret.description = description
    if (text(input, 'SecretString') === undefined) return { ARN: secret.arn, Name: secret.name }
    const { VersionStages: _, ...rest } = input
    return operations.PutSecretValue?.(double, rest) ?? {}
  },

  GetSecretValue: (double, input) => {
    const secret = alive(double.find(input))
    const [id, stage] = [text(input, 'VersionId'), text(input, 'VersionStage')]
    const version = id !== undefined ? secret.versions.get(id) : holderOf(secret, stage ?? current)
    if (id !== undefined && version === undefined)
      throw notFound(`Secrets Manager can't find the specified secret value for VersionId: ${id}`)
    if (version?.value === undefined)
      throw notFound(
        `Secrets Manager can't find the specified secret value for staging label: ${stage ?? [...(version?.stages ?? [])][0] ?? current}`,
      )
    if (id !== undefined && stage !== undefined && !version.stages.has(stage))
      throw badRequest('You provided a VersionStage that is not associated to the provided VersionId.')
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      SecretString: version.value,
      VersionStages: [...version.stages],
      CreatedDate: seconds(version.createdAt),
    }
  },

  DescribeSecret: (double, input) => {
    const secret = double.find(input)
    return {
      ...double.entry(secret),
      VersionIdsToStages: labels(secret),
      ...(secret.replicas.length > 0 ? { ReplicationStatus: secret.replicas } : {}),
    }
  },

  ListSecretVersionIds: (double, input) => {
    const secret = double.find(input)
    const all = [...secret.versions.values()].filter(({ stages }) => input.IncludeDeprecated === true || stages.size > 0)
    const { page, next } = double.page(all, input)
    const Versions = page.map(({ id, stages, createdAt }) => ({
      VersionId: id,
      VersionStages: [...stages],
      CreatedDate: seconds(createdAt),
    }))
    return { ARN: secret.arn, Name: secret.name, Versions, ...next }
  },

  ListSecrets: (double, input) => {
    const filters = (Array.isArray(input.Filters) ? input.Filters : []) as { Key: string; Values: string[] }[]
    const matches = (secret: Secret): boolean =>
      secret.deletedAt === undefined &&
      filters.every(({ Key, Values }) =>
        Key === 'tag-key'
          ? [...secret.tags.keys()].some((tag) => Values.some((value) => tag.startsWith(value)))
          : Key === 'name' && Values.some((value) => secret.name.startsWith(value)),
      )
    const { page, next } = double.page([...double.secrets.values()].filter(matches), input)
    return { SecretList: page.map((secret) => ({ ...double.entry(secret), SecretVersionsToStages: labels(secret) })), ...next }
  },

  UpdateSecretVersionStage: (double, input) => {
    const secret = alive(double.find(input))
    const stage = text(input, 'VersionStage') ?? ''
    const [to, from] = [text(input, 'MoveToVersionId'), text(input, 'RemoveFromVersionId')]
    const holder = holderOf(secret, stage)
    const target = to === undefined ? undefined : secret.versions.get(to)
    if (to !== undefined && target === undefined)
      throw notFound(`Secrets Manager can't find the specified secret value for VersionId: ${to}`)
    if (to === undefined && stage === current)
      throw badParameter('You can only move staging label AWSCURRENT to a different secret version. It can’t be completely removed.')
    if (from !== undefined && holder?.id !== from)
      throw badParameter(`The parameter RemoveFromVersionId can't be set to ${from}: staging label ${stage} is not attached to it.`)
    if (holder !== undefined && holder !== target && from === undefined)
      throw badParameter(
        `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ${holder.id}, so you must explicitly reference that version in RemoveFromVersionId.`,
      )
    if (target === undefined) holder?.stages.delete(stage)
    else {
      if (target.stages.size >= stagesMax && !target.stages.has(stage))
        throw new ServiceError('LimitExceededException', 'Too many staging labels.')
      moveStage(secret, stage, target)
    }
    if (stage === current || stage === previous || stage === pending) secret.changedAt = double.now()
    purge(secret, double.now())
    return { ARN: secret.arn, Name: secret.name }
  },

  TagResource: (double, input) => {
    setTags(double.find(input), tagsIn(input))
    return {}
  },

  UntagResource: (double, input) => {
    const secret = double.find(input)
    for (const key of Array.isArray(input.TagKeys) ? input.TagKeys.map(String) : []) secret.tags.delete(key)
    return {}
  },

  DeleteSecret: (double, input) => {
    const secret = double.find(input)
    if (input.ForceDeleteWithoutRecovery === true) double.secrets.delete(secret.name)
    else secret.deletedAt = double.now()
    return { ARN: secret.arn, Name: secret.name, DeletionDate: seconds(double.now()) }
  },
}
