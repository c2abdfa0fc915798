import { nameOf } from '../../aws/client.js'
import { assertSettled } from '../../core/claims.js'
import { RotationError } from '../../core/errors.js'
import { newToken } from '../../core/ids.js'
import type { Env } from '../../core/ports/env.js'
import type { RotationStarter } from '../../core/ports/service.js'
import type { SecretState, SecretStoreAdmin, VersionInfo } from '../../core/ports/store.js'
import type { Policy, SecretRef, Token, VersionId } from '../../core/ports/words.js'
import { splitRef } from '../../core/refs.js'
import type { SecretText } from '../../core/secret-text.js'
import { AwsSecretsManager } from '../aws-secrets-manager.js'
import { Api, type ClientOptions, clientOptionsOf, createClient, type Environment } from './api.js'
import { type Description, kind } from './description.js'
import { isExists } from './errors.js'
import { label, retiringLabels } from './labels.js'
import { notesOf } from './tags.js'
import { takeAway } from './writer.js'

const namesAllowed = /^[A-Za-z0-9/_+=.@-]{1,512}$/

/** The store with a person's rights: it lists versions, writes tags and policy, and starts the service's own rotation. */
export class AwsSecretsManagerAdmin extends AwsSecretsManager implements SecretStoreAdmin, RotationStarter {
  static override open = (options: ClientOptions, env: Env): AwsSecretsManagerAdmin =>
    new AwsSecretsManagerAdmin(new Api(createClient(options)), env)
  static openFrom = (environment: Environment, env: Env): AwsSecretsManagerAdmin =>
    AwsSecretsManagerAdmin.open(clientOptionsOf(environment), env)

  /** When current was made, unless the note of its announcement knows better. A role that may not list versions uses the last change instead. */
  protected override async dateOf({ ref, current, tags }: Description): Promise<number | undefined> {
    if (current === undefined || notesOf(tags)?.announced?.version === current) return undefined
    try {
      for await (const { id, createdAt } of this.api.versions(ref.key)) if (id === current) return createdAt
    } catch (cause) {
      if (this.classify(cause) !== 'denied') throw cause
    }
    return undefined
  }

  async create(name: string, value: SecretText, policy: Policy): Promise<SecretRef> {
    const { store, name: bare } = splitRef(name, kind)
    if (store !== kind || !namesAllowed.test(bare)) {
      throw new RotationError('bad_event', `"${name}" is not a name of AWS Secrets Manager.`, {
        field: 'ref',
        next: 'Use A-Z a-z 0-9 / _ + = . @ -, up to 512 characters.',
      })
    }
    if (value.bytes > this.traits.valueBytesMax) {
      throw new RotationError('too_large', `The value has ${value.bytes} bytes; this store takes ${this.traits.valueBytesMax}.`, {
        field: 'value',
        next: 'Shorten it.',
      })
    }
    try {
      return (await this.api.create(bare, newToken('put', this.env.random(16)), value, policy)).ref
    } catch (cause) {
      if (!isExists(cause)) throw cause
      throw new RotationError('exists', `aws:${bare} already exists.`, {
        cause,
        field: 'ref',
        next: 'Put a new value into it, or choose another name.',
      })
    }
  }

  async setPolicy(ref: SecretRef, patch: Readonly<Record<string, string | null>>): Promise<void> {
    const entries = Object.entries(patch)
    const kept = entries.filter((entry): entry is [string, string] => entry[1] !== null)
    await this.api.tag(ref.key, Object.fromEntries(kept))
    await this.api.untag(
      ref.key,
      entries.filter(([, value]) => value === null).map(([key]) => key),
    )
  }

  /** All versions, even those without a label, newest first. A read shows whether one has a value: only a placeholder has none. */
  async *history(ref: SecretRef): AsyncIterable<VersionInfo> {
    const all: VersionInfo[] = []
    for await (const { id, createdAt, stages } of this.api.versions(ref.key)) {
      const isPending = stages.includes(label.pending) && !stages.includes(label.current)
      const staged = isPending || stages.includes(label.staged)
      if (!staged) all.push({ id, createdAt, hasValue: true, ours: id as string as Token })
    }
    yield* all.reverse().sort((a, b) => b.createdAt - a.createdAt)
  }

  /** Asynchronous: the service calls its function step by step. It continues a rotation that is not finished, under that rotation's own token. */
  async startNative(ref: SecretRef): Promise<Token> {
    try {
      return await this.api.rotate(ref.key, nativeToken(this.env.random(16)))
    } catch (cause) {
      const { pending } = await this.describe(ref)
      if (nameOf(cause) === 'InvalidRequestException' && pending !== undefined) return pending.token
      throw cause
    }
  }

  async release(ref: SecretRef): Promise<void> {
    const state: SecretState = await this.describe(ref)
    assertSettled(state)
    const { tags, stages } = await this.api.describe(ref.key)
    await this.api.untag(
      ref.key,
      Object.keys(tags).filter((key) => key.startsWith('keyturn-')),
    )
    const ours = state.drivenBy === 'engine' ? [label.pending] : []
    const marks: readonly string[] = [label.stuck, label.staged, ...retiringLabels, ...ours]
    for (const [id, names] of stages)
      for (const name of names) if (marks.includes(name)) await takeAway(this.api, ref, name, id as VersionId)
  }
}

/** A random UUID (version 4), like the service's own tokens, so that it does not look like a token of our engine. */
function nativeToken(random: Uint8Array): Token {
  const hex = Buffer.from(random).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-') as Token
}
