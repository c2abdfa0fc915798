import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { clientDefaults } from '../../aws/client.js'
import { explainSettings } from '../../aws/explain.js'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Policy, Token, VersionId } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { type Description, readDescription } from './description.js'

/** How the service is reached. The SDK's own rules find what is absent. */
export interface ClientOptions {
  readonly region?: string
  /** SECRETS_MANAGER_ENDPOINT, as the vendor's templates have it; else the SDK's own rules. */
  readonly endpoint?: string
}

/** The variables of a process, which the opener of the store hands in. */
export type Environment = Readonly<Record<string, string | undefined>>
/** Reads SECRETS_MANAGER_ENDPOINT from the environment of a process. The SDK reads the rest. */
export const clientOptionsOf = ({ SECRETS_MANAGER_ENDPOINT: endpoint }: Environment): ClientOptions =>
  optional('endpoint', endpoint || undefined)

/** Makes a client with one attempt for each call and a limit of ten seconds: the guard makes the retries. */
export function createClient({ region, endpoint }: ClientOptions): SecretsManagerClient {
  const client = new SecretsManagerClient({
    ...optional('region', region),
    ...optional('endpoint', endpoint),
    ...clientDefaults,
  })
  client.middlewareStack.add(explainSettings(endpoint === undefined ? {} : { variable: 'SECRETS_MANAGER_ENDPOINT' }), {
    step: 'initialize',
  })
  return client
}

/** One version with its text and the labels that it had when it was read. `createdAt` in epoch milliseconds; 0 where the service did not give it. */
export interface Value {
  readonly id: VersionId
  readonly text: SecretText
  readonly stages: readonly string[]
  readonly createdAt: number
  readonly arn: string
  readonly name: string
}
/** One version as a listing shows it, without its text. `createdAt` in epoch milliseconds; 0 where the service did not give it. */
export interface ListedVersion {
  readonly id: VersionId
  readonly stages: readonly string[]
  readonly createdAt: number
}
const pageSize = 100

/** The calls that we make, with names of our own. Errors are the SDK's. */
export class Api {
  readonly #client: SecretsManagerClient
  readonly #rotationToken: SecretText | undefined
  constructor(client: SecretsManagerClient, rotationToken?: SecretText) {
    this.#client = client
    this.#rotationToken = rotationToken
  }

  /** The same client, for one rotation that the service asked for: its own token travels with the one call that takes it. */
  forRotation = (rotationToken: SecretText | undefined): Api => new Api(this.#client, rotationToken)

  async describe(id: string): Promise<Description> {
    return readDescription(await this.#client.send(new DescribeSecretCommand({ SecretId: id })))
  }

  async get(id: string, which: { readonly version: VersionId } | { readonly stage: string }): Promise<Value> {
    const asked = 'version' in which ? { VersionId: which.version } : { VersionStage: which.stage }
    const answer = await this.#client.send(new GetSecretValueCommand({ SecretId: id, ...asked }))
    if (answer.SecretString === undefined) {
      throw new RotationError('bad_value', 'The value is binary.', { field: 'value', next: 'Put a text: JSON, a URL or a bare password.' })
    }
    return {
      id: answer.VersionId as VersionId,
      text: new SecretText(answer.SecretString),
      stages: answer.VersionStages ?? [],
      createdAt: answer.CreatedDate?.getTime() ?? 0,
      arn: answer.ARN ?? id,
      name: answer.Name ?? id,
    }
  }

  async put(id: string, token: Token, value: SecretText, stages: readonly string[]): Promise<void> {
    const rotation = this.#rotationToken === undefined ? {} : { RotationToken: this.#rotationToken.reveal() }
    const given = { SecretId: id, ClientRequestToken: token, SecretString: value.reveal(), VersionStages: [...stages], ...rotation }
    await this.#client.send(new PutSecretValueCommand(given))
  }

  /** Moves a label. `from` must hold it where any version does: that fences the move. Without `to` the label is only removed. */
  async moveStage(id: string, stage: string, move: { readonly to?: VersionId; readonly from?: VersionId }): Promise<void> {
    const given = {
      SecretId: id,
      VersionStage: stage,
      ...optional('MoveToVersionId', move.to),
      ...optional('RemoveFromVersionId', move.from),
    }
    await this.#client.send(new UpdateSecretVersionStageCommand(given))
  }

  /** All versions, even those without a label, in the service's order. */
  async *versions(id: string): AsyncIterable<ListedVersion> {
    for (let next: string | undefined; ; ) {
      const given = { SecretId: id, IncludeDeprecated: true, MaxResults: pageSize, ...optional('NextToken', next) }
      const answer = await this.#client.send(new ListSecretVersionIdsCommand(given))
      for (const { VersionId: version, VersionStages: stages, CreatedDate: created } of answer.Versions ?? [])
        if (version !== undefined) yield { id: version as VersionId, stages: stages ?? [], createdAt: created?.getTime() ?? 0 }
      next = answer.NextToken
      if (!next) return
    }
  }

  /** `tagged`: only secrets with a tag that begins so. */
  async *list(tagged: string | undefined): AsyncIterable<Description> {
    for (let next: string | undefined; ; ) {
      const filters = tagged === undefined ? {} : { Filters: [{ Key: 'tag-key' as const, Values: [tagged] }] }
      const answer = await this.#client.send(new ListSecretsCommand({ MaxResults: pageSize, ...filters, ...optional('NextToken', next) }))
      for (const entry of answer.SecretList ?? []) if (entry.DeletedDate === undefined) yield readDescription(entry)
      next = answer.NextToken
      if (!next) return
    }
  }

  async tag(id: string, tags: Policy): Promise<void> {
    const entries = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
    if (entries.length > 0) await this.#client.send(new TagResourceCommand({ SecretId: id, Tags: entries }))
  }
  async untag(id: string, keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.#client.send(new UntagResourceCommand({ SecretId: id, TagKeys: [...keys] }))
  }

  async create(name: string, token: Token, value: SecretText, tags: Policy): Promise<Description> {
    const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
    const given = { Name: name, ClientRequestToken: token, SecretString: value.reveal(), ...(Tags.length > 0 ? { Tags } : {}) }
    const { ARN: arn } = await this.#client.send(new CreateSecretCommand(given))
    return this.describe(arn ?? name)
  }

  async rotate(id: string, token: Token): Promise<Token> {
    const answer = await this.#client.send(new RotateSecretCommand({ SecretId: id, ClientRequestToken: token }))
    return (answer.VersionId ?? token) as Token
  }
}
