import { RotationError } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import type { SecretState } from '../../core/ports/store.js'
import type { SecretRef, Step, Token, VersionId } from '../../core/ports/words.js'
import type { Api, Value } from './api.js'
import { type Description, isDriven } from './description.js'
import { isNotFound } from './errors.js'
import { label } from './labels.js'
import { stateOf } from './state.js'

/** What a warm instance keeps from call to call: descriptions, and which tokens were seen to have a value. It keeps no value. */
export class Warm {
  readonly #descriptions = new Map<string, { readonly token: Token; readonly description: Description; readonly at: number }>()
  readonly #filled = new Map<string, number | undefined>()

  /** The description from the same rotation, where it is not older than a quarter of an hour. */
  descriptionOf(ref: SecretRef, token: Token, now: number): Description | undefined {
    const kept = this.#descriptions.get(ref.key)
    return kept?.token === token && now - kept.at < keptMsMax ? kept.description : undefined
  }
  currentOf = (ref: SecretRef): VersionId | undefined => this.#descriptions.get(ref.key)?.description.current
  keep(ref: SecretRef, token: Token, description: Description, at: number): void {
    if (this.#descriptions.size >= keptMax) this.#descriptions.clear()
    this.#descriptions.set(ref.key, { token, description, at })
  }
  forget(ref: SecretRef): void {
    this.#descriptions.delete(ref.key)
  }
  isFilled = (ref: SecretRef, version: string): boolean => this.#filled.has(`${ref.key} ${version}`)
  filledAt = (ref: SecretRef, version: string): number | undefined => this.#filled.get(`${ref.key} ${version}`)
  /** `at`: when this process wrote it, or when the service says that it was made. */
  fill(ref: SecretRef, version: string, at: number | undefined): void {
    if (this.#filled.size >= keptMax) this.#filled.clear()
    this.#filled.set(`${ref.key} ${version}`, this.filledAt(ref, version) ?? at)
  }
}
const keptMsMax = 15 * 60_000
const keptMax = 1000

/** For a while the service answers not-found for what was just written (sdk-js-v3 #7701). It is asked again after these pauses. */
const staleWaitsMs = [150, 400, 1000]
/** In testSecret not-found means that only current is tested. So it must be more certain. */
const testWaitsMs = [...staleWaitsMs, 2000, 4000]

/** What a Reader works with. `warm` outlives the invocation and holds no value. */
export interface ReaderParts {
  readonly api: Api
  readonly env: Env
  readonly warm: Warm
  /** Values read by this invocation; undefined where instances live long. */
  readonly values: Map<string, Value> | undefined
}

/** Reads values, and the state that one step needs. */
export class Reader {
  readonly #parts: ReaderParts
  constructor(parts: ReaderParts) {
    this.#parts = parts
  }

  async value(ref: SecretRef, version: VersionId, waits: 'usual' | 'test' = 'usual'): Promise<Value> {
    const { values, warm, env } = this.#parts
    const known = values?.get(`${ref.key} ${version}`)
    if (known) return known
    for (const waitMs of [...(waits === 'test' ? testWaitsMs : staleWaitsMs), undefined]) {
      try {
        return this.#remember(ref, await this.#parts.api.get(ref.key, { version }))
      } catch (cause) {
        if (!isNotFound(cause) || waitMs === undefined) throw cause
        // A value that was written a moment ago is worth a wait. A value that nobody is known to have written gets one more look.
        if (waits === 'usual' && !warm.isFilled(ref, version) && waitMs !== staleWaitsMs[0]) throw cause
        await env.sleep(waitMs)
      }
    }
    throw new Error('unreachable')
  }

  #remember(ref: SecretRef, value: Value): Value {
    this.#parts.values?.set(`${ref.key} ${value.id}`, value)
    this.#parts.warm.fill(ref, value.id, value.createdAt)
    return value
  }

  /** The value under a label; undefined where no version has one. */
  async staged(ref: SecretRef, stage: string): Promise<Value | undefined> {
    return absentIs(undefined, async () => this.#remember(ref, await this.#parts.api.get(ref.key, { stage })))
  }

  async hasValue(ref: SecretRef, version: VersionId): Promise<boolean> {
    if (this.#parts.warm.isFilled(ref, version)) return true
    return absentIs(false, async () => this.value(ref, version).then(() => true))
  }

  async fresh(ref: SecretRef, token: Token): Promise<Description> {
    const description = await this.#parts.api.describe(ref.key)
    this.#parts.warm.keep(ref, token, description, this.#parts.env.now())
    return description
  }

  async stepState(ref: SecretRef, token: Token, step: Step): Promise<SecretState> {
    if (step === 'create') return this.#createState(ref, token)
    if (step === 'finish') return this.#finishState(ref, token)
    return this.#valueState(ref, token, step)
  }

  /** The state for create. It does not ask whether the placeholder is filled: an existing value shows when another one is put. */
  async #createState(ref: SecretRef, token: Token): Promise<SecretState> {
    const value = await this.staged(ref, label.current)
    const description = await this.#known(ref, token)
    if (value?.id !== description.current) throw changedError(ref)
    const known = value === undefined ? {} : { currentCreatedAt: value.createdAt }
    return stateOf(description, { ...known, pendingHasValue: this.#parts.warm.isFilled(ref, token) })
  }

  /** Tells a token whose value was given up, which has no label any more, from one that the service never gave, which has no value either. */
  async #known(ref: SecretRef, token: Token): Promise<Description> {
    const description = await this.fresh(ref, token)
    const id = token as string as VersionId
    if (isDriven(description) && !description.stages.has(id) && (await this.hasValue(ref, id)))
      throw new RotationError('token_spent', `${ref.shown}: the value of this token was given up.`, {
        next: 'Start a new rotation, with another token or none.',
      })
    return checked(description, token)
  }

  /** The steps may come in any order. An AWSPENDING without a value has nothing to publish; one that is current already is not read. */
  async #finishState(ref: SecretRef, token: Token): Promise<SecretState> {
    const description = checked(await this.fresh(ref, token))
    const id = token as string as VersionId
    const isPending = description.pending === id && description.current !== id
    return stateOf(description, { pendingHasValue: isPending && (await this.hasValue(ref, id)) })
  }

  /** The state for set and test. The labels come with the value; only the policy comes from an earlier step. */
  async #valueState(ref: SecretRef, token: Token, step: Step): Promise<SecretState> {
    const id = token as string as VersionId
    const value = await absentIs(undefined, () => this.value(ref, id, step === 'test' ? 'test' : 'usual'))
    const kept = this.#parts.warm.descriptionOf(ref, token, this.#parts.env.now())
    if (value === undefined) return stateOf(checked(await this.fresh(ref, token)), { pendingHasValue: false })
    const description = kept ?? checked(await this.fresh(ref, token))
    const { pending: _, ...rest } = description
    const marked = value.stages.includes(label.pending) ? { pending: id } : {}
    const moved = value.stages.includes(label.current) ? { current: id } : {}
    return stateOf({ ...rest, ...marked, ...moved }, { pendingHasValue: true })
  }

  /** Checks that the version which a kept description names as current still is. conflict where it is not; then the description is asked for again. */
  assertFresh(ref: SecretRef, value: Value): void {
    const { warm } = this.#parts
    if (warm.currentOf(ref) !== value.id || value.stages.includes(label.current)) return
    warm.forget(ref)
    throw changedError(ref)
  }

  /** When this version was made. It is known for versions that this process wrote; for all others the service is asked. */
  async createdAt(ref: SecretRef, version: VersionId): Promise<number> {
    return this.#parts.warm.filledAt(ref, version) ?? (await this.value(ref, version)).createdAt
  }
}

async function absentIs<T>(instead: T, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (isNotFound(cause)) return instead
    throw cause
  }
}

/** Makes a conflict error: the state that was read is old. */
export const changedError = (ref: SecretRef): RotationError =>
  new RotationError('conflict', `${ref.shown} was changed meanwhile.`, { next: 'The state is read again.' })

/** Refuses what the vendor's own functions refuse, too: a secret whose rotation is off and, where a value is asked for, a token that the service does not know. */
function checked(description: Description, token?: Token): Description {
  const { ref, stages } = description
  const failRef = (why: string, next: string): never => {
    throw new RotationError('bad_event', `${ref.shown}: ${why}.`, { field: 'ClientRequestToken', next })
  }
  if (!isDriven(description))
    failRef('rotation is not enabled for it', 'Start it with aws secretsmanager rotate-secret, or keyturn rotate.')
  if (token !== undefined && !stages.has(token as string as VersionId))
    failRef('the service has no version with a label for this token', 'This function is called by the service; start a rotation there.')
  return description
}
