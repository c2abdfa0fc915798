import { sayError } from '../aws/client.js'
import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { Env } from '../core/ports/env.js'
import type { Code } from '../core/ports/errors.js'
import type { StepService } from '../core/ports/service.js'
import type {
  Claim,
  ClaimWish,
  CurrentValue,
  Listed,
  NotePatch,
  SecretState,
  SecretStore,
  StagedValue,
  StoreTraits,
  VersionInfo,
} from '../core/ports/store.js'
import type { Policy, SecretRef, Step, Token, VersionId } from '../core/ports/words.js'
import { splitRef } from '../core/refs.js'
import type { SecretText } from '../core/secret-text.js'
import { Api, type ClientOptions, createClient, type Value } from './aws-secrets-manager/api.js'
import { type Description, isDriven, kind, refOf } from './aws-secrets-manager/description.js'
import { classify, isNotFound } from './aws-secrets-manager/errors.js'
import { label, retiringLabels } from './aws-secrets-manager/labels.js'
import { changedError, Reader, Warm } from './aws-secrets-manager/reader.js'
import { revOf, stateOf } from './aws-secrets-manager/state.js'
import { mergeNotes, notesOf, policyPrefix, writeNotes } from './aws-secrets-manager/tags.js'
import { claim, dropStrayLabels, publish, stage, takeAway, type WriterParts } from './aws-secrets-manager/writer.js'

/** The form of a whole ARN, with the six random characters that the service adds. It names one secret for ever. */
const wholeArn = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:(.+)-[A-Za-z0-9]{6}$/

/**
 * AWS Secrets Manager: labels are the stages, and a version's id is the token that made it. Where RotateSecret is set up, the service drives and names
 * one step in each call. Otherwise our own engine drives, and leaves no mark. Only `note` writes tags, and a deployed function never calls it.
 */
export class AwsSecretsManager implements SecretStore, StepService {
  readonly traits: StoreTraits = { journalCas: false, valueBytesMax: 65_536 }
  protected readonly api: Api
  protected readonly env: Env
  readonly #warm: Warm
  readonly #reader: Reader
  /** For one call of the service: what an earlier call kept may be old by now. */
  readonly #stepwise: boolean

  constructor(api: Api, env: Env, warm = new Warm(), values?: Map<string, Value>) {
    this.api = api
    this.env = env
    this.#warm = warm
    this.#stepwise = values !== undefined
    this.#reader = new Reader({ api, env, warm, values })
  }

  static open = (options: ClientOptions, env: Env): AwsSecretsManager => new AwsSecretsManager(new Api(createClient(options)), env)

  /** The same client and what it keeps, for one call of the service. Values are read once in the call, and forgotten with it. */
  forInvocation(env: Env, rotationToken?: SecretText): AwsSecretsManager {
    return new AwsSecretsManager(this.api.forRotation(rotationToken), env, this.#warm, new Map())
  }

  /** Takes a whole ARN as it is. A name, or a part of an ARN, costs a call. */
  async resolve(text: string): Promise<SecretRef> {
    const name = text.startsWith('arn:') ? text : awsName(text)
    const whole = wholeArn.exec(name)
    if (whole !== null && (text === name || text === `aws:${name}`)) return refOf(name, whole[1] ?? name)
    return (await this.#described(name)).ref
  }

  async #described(id: string): Promise<Description> {
    try {
      return await this.api.describe(id)
    } catch (cause) {
      if (!isNotFound(cause)) throw cause
      const shown = id.startsWith('arn:') ? id : `aws:${id}`
      throw new RotationError('not_found', `There is no secret ${shown} in this account and region.`, {
        field: 'ref',
        cause,
        next: 'Check the name, the region (AWS_REGION) and the account; keyturn list --store aws shows what is there.',
      })
    }
  }

  /** The service gives no dates of versions here; `datesOf` adds them where this role may list versions. */
  async describe(ref: SecretRef): Promise<SecretState> {
    return this.stateOf(await this.#described(ref.key))
  }

  protected async stateOf(description: Description): Promise<SecretState> {
    const { ref, current, pending } = description
    const pendingHasValue = pending !== undefined && pending !== current && (await this.#reader.hasValue(ref, pending))
    return stateOf(description, { pendingHasValue, ...optional('currentCreatedAt', await this.dateOf(description)) })
  }

  /** When current was made. A function may not list versions, and the last change suffices for it. */
  protected async dateOf(_: Description): Promise<number | undefined> {
    return undefined
  }

  async stepState(ref: SecretRef, token: Token, step: Step): Promise<SecretState> {
    return this.#reader.stepState(ref, token, step)
  }

  async read(ref: SecretRef, version: VersionId): Promise<SecretText> {
    try {
      const value = await this.#reader.value(ref, version)
      if (this.#stepwise) this.#reader.assertFresh(ref, value)
      return value.text
    } catch (cause) {
      if (!isNotFound(cause)) throw cause
      throw new RotationError('not_found', `${ref.shown} has no value in version ${version}.`, {
        cause,
        next: `See keyturn get ${ref.shown}.`,
      })
    }
  }

  /** The current value of another secret (an administrator's, a configuration), in one call: a function is granted no other call there. */
  async readCurrent(text: string): Promise<CurrentValue> {
    const name = text.startsWith('arn:') ? text : awsName(text)
    try {
      const { text: value, arn, name: called } = await this.api.get(name, { stage: label.current })
      return { value, ref: refOf(arn, called) }
    } catch (cause) {
      if (cause instanceof RotationError) throw cause
      if (!isNotFound(cause)) {
        const code = classify(cause)
        const next = code === 'denied' ? 'Allow secretsmanager:GetSecretValue on it.' : 'It is read again at the next attempt.'
        throw new RotationError(code, `The secret aws:${name} could not be read (${sayError(cause)}).`, { cause, next })
      }
      throw new RotationError('not_found', `There is no secret aws:${name} with a value.`, {
        cause,
        next: 'Check the name, the region and the account.',
      })
    }
  }

  /** All tags, including those that others wrote. */
  async tags(ref: SecretRef): Promise<Policy> {
    return (await this.api.describe(ref.key)).tags
  }

  get #parts(): WriterParts {
    return { api: this.api, reader: this.#reader, warm: this.#warm, now: () => this.env.now() }
  }

  async claim(state: SecretState, wish: ClaimWish): Promise<Claim> {
    return claim(this.#parts, state, wish)
  }

  async stage(claimed: Claim, value: SecretText): Promise<StagedValue> {
    return stage(this.#parts, claimed, value)
  }

  /** Removes the labels. The token keeps its value for ever. */
  async discard({ ref, drivenBy }: Claim, version: VersionId): Promise<'spent'> {
    await takeAway(this.api, ref, label.pending, version)
    this.#warm.forget(ref)
    if (drivenBy === 'engine') await takeAway(this.api, ref, label.staged, version)
    return 'spent'
  }

  async publish(claimed: Claim, version: VersionId): Promise<VersionInfo> {
    await publish(this.#parts, claimed, version)
    this.#warm.forget(claimed.ref)
    return { id: version, createdAt: this.env.now(), hasValue: true, ours: version as string as Token }
  }

  /** Writes labels for `stuck`, and tags for the rest. There is no conditional write: the look right before it narrows the race, and nothing closes it. */
  async note(state: SecretState, patch: NotePatch): Promise<void> {
    const { ref } = state
    const before = await this.api.describe(ref.key)
    if (revOf(before.stages, before.tags) !== state.rev) throw changedError(ref)
    await this.#noteCode(before, patch.code)
    const merged = mergeNotes(notesOf(before.tags), state, patch)
    const { set, gone } = writeNotes(merged, before.tags)
    await this.api.tag(ref.key, set)
    await this.api.untag(ref.key, gone)
    await dropStrayLabels(this.api, before, new Set(merged.retiring.map(({ version }) => version)))
  }

  async #noteCode({ ref, stages, pending, current }: Description, code: NotePatch['code']): Promise<void> {
    if (code === undefined) return
    const holder = [...stages].find(([, names]) => names.includes(label.stuck))?.[0]
    if (code === null) {
      if (holder !== undefined) await takeAway(this.api, ref, label.stuck, holder)
      return
    }
    const on = pending ?? current
    if (on !== undefined && holder === undefined) await this.api.moveStage(ref.key, label.stuck, { to: on })
  }

  async *list(filter: { readonly managed: boolean }): AsyncIterable<Listed> {
    for await (const description of this.api.list(filter.managed ? policyPrefix : undefined)) {
      const { pending, current } = description
      yield stateOf(description, { pendingHasValue: pending !== undefined && pending !== current && !isDriven(description) })
    }
  }

  /** Removes the labels that keep a version: without a label it is deprecated, and the service drops it in time. */
  async dispose(ref: SecretRef, version: VersionId): Promise<void> {
    const { stages, current, pending } = await this.#described(ref.key)
    if (version === current || version === pending) throw changedError(ref)
    const kept: readonly string[] = [label.previous, ...retiringLabels]
    const names = (stages.get(version) ?? []).filter((name) => kept.includes(name))
    for (const name of names) await takeAway(this.api, ref, name, version)
  }

  classify(cause: unknown): Code {
    return classify(cause)
  }
}

function awsName(text: string): string {
  const { store, name } = splitRef(text, kind)
  if (store === kind && /^[A-Za-z0-9/_+=.@:!-]{1,2048}$/.test(name)) return name
  throw new RotationError('bad_event', `"${text}" is not a secret of AWS Secrets Manager.`, {
    field: 'ref',
    next: 'Write aws:name or aws:arn:…, with A-Z a-z 0-9 / _ + = . @ -.',
  })
}
