import { claimedRotation } from '../core/claims.js'
import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { Env } from '../core/ports/env.js'
import type { Code } from '../core/ports/errors.js'
import type {
  Claim,
  ClaimWish,
  CurrentValue,
  Journal,
  Listed,
  NotePatch,
  SecretState,
  SecretStore,
  StagedValue,
  StoreTraits,
  VersionInfo,
} from '../core/ports/store.js'
import type { Policy, SecretRef, VersionId } from '../core/ports/words.js'
import type { SecretText } from '../core/secret-text.js'
import { overtakenError, placeLostError } from '../core/unfenced/errors.js'
import { withNote } from '../core/unfenced/pointer.js'
import { discardUnfenced, publishUnfenced, stageUnfenced, type UnfencedCalls } from '../core/unfenced/writes.js'
import { aliasesRule, confirmPointer, isPublishedGone } from './gcp-secret-manager/aliases.js'
import { Api, isAbsent, isUnreadable } from './gcp-secret-manager/api.js'
import { callsOf } from './gcp-secret-manager/calls.js'
import { type OpenClient, openClient } from './gcp-secret-manager/client.js'
import { dispose } from './gcp-secret-manager/dispose.js'
import { CallError, classify, sayError, setupError } from './gcp-secret-manager/errors.js'
import { joined } from './gcp-secret-manager/listing.js'
import { isPlaceError, kind, readName, readProject, readSecret, refOf, type SecretName, saysProject } from './gcp-secret-manager/names.js'
import { isPlace, type JournalWrite, lastPlace, noPlaceError, type Place, readPlace, writeJournal } from './gcp-secret-manager/place.js'
import { describe, nativeOf, policyOf, revOf, valueBytes } from './gcp-secret-manager/reader.js'
import { bytesOf, textOf, valueBytesMax } from './gcp-secret-manager/staged.js'

const projectField = 'GOOGLE_CLOUD_PROJECT'

/** How the service is reached. */
export interface GcpOptions {
  readonly env: Env
  /** The project of names that say none; absent: the vendor's client finds it. */
  readonly project?: string
  /** Where regional secrets are, for a listing; absent: it has only global ones. */
  readonly locations?: readonly string[]
  readonly open?: OpenClient
}

/**
 * Google Secret Manager. What consumers read is the newest version, which is always a tested one: the pending value is in a secret of its own, and so is the
 * journal, in its annotations. Adding a version has no condition; the rules for that are those of core/unfenced.
 */
export class GcpSecretManager implements SecretStore {
  readonly traits: StoreTraits = { journalCas: true, valueBytesMax, policy: [aliasesRule] }
  protected readonly api: Api
  protected readonly env: Env
  readonly #unnamed = new WeakMap<Claim, VersionId>()
  readonly #locations: readonly string[]
  #project: string | undefined

  constructor({ env, project, locations = [], open = openClient }: GcpOptions) {
    this.env = env
    this.api = new Api(open, env)
    this.#locations = locations
    this.#project = project && readProject(project, projectField)
  }

  close = (): Promise<void> => this.api.close()

  /** Reads a name that a person or an event gave, without a call unless it says no project. */
  protected async nameOf(text: string): Promise<SecretName> {
    return readSecret(text, saysProject(text) ? undefined : await this.#ownProject(text))
  }
  async #ownProject(shown: string): Promise<string> {
    this.#project ??= await this.api.projectId().then(
      (project) => readProject(project, projectField),
      (cause: unknown) => {
        if (cause instanceof RotationError) throw cause
        throw setupError(cause, { shown }) ?? (classify(cause) === 'bad_config' ? noProjectError(cause) : cause)
      },
    )
    return this.#project
  }
  /** What the API takes for a ref. */
  protected readonly at = ({ key }: SecretRef): SecretName => readName(key)

  async resolve(text: string): Promise<SecretRef> {
    const name = await this.nameOf(text)
    const secret = await this.found(`gcp:${name.secret}`, () => this.api.getFirst(name))
    const ref = refOf(name, secret.resource)
    if (isPlace(secret)) throw isPlaceError(ref.shown)
    return ref
  }

  async describe(ref: SecretRef): Promise<SecretState> {
    const state = await this.found(ref.shown, () => describe(this.api, ref, this.at(ref)))
    return isPublishedGone(state) ? { ...state, publishedGone: true } : state
  }

  async read(ref: SecretRef, version: VersionId): Promise<SecretText> {
    const bytes = await valueBytes(this.api, this.at(ref), version)
    if (bytes !== undefined) return textOf(bytes, `Version ${version} of ${ref.shown}`)
    throw new RotationError('not_found', `${ref.shown} has no version ${version} that can be read.`, {
      next: `See keyturn get ${ref.shown}; a disabled version can be enabled again.`,
    })
  }

  /** By `latest`, with one call and one right. */
  async readCurrent(text: string): Promise<CurrentValue> {
    const name = await this.nameOf(text)
    try {
      const { resource, bytes } = await this.found(text, () => this.api.access(name, 'latest'))
      const ref = refOf(name, resource)
      return { ref, value: textOf(bytes, `The value of ${ref.shown}`) }
    } catch (cause) {
      if (!isUnreadable(cause)) throw cause
      throw new RotationError('not_found', `The newest version of ${text} is disabled or destroyed.`, {
        cause,
        field: 'ref',
        next: 'Enable it, or put a new value: who reads the latest version gets nothing.',
      })
    }
  }

  /** All labels and annotations. */
  async tags(ref: SecretRef): Promise<Policy> {
    const { labels, annotations } = await this.found(ref.shown, () => this.api.get(this.at(ref)))
    return { ...labels, ...annotations }
  }

  async confirm({ ref, current, pointer }: SecretState): Promise<void> {
    if (pointer !== undefined) await confirmPointer(this.api, this.at(ref), ref, current?.id)
  }

  async claim(state: SecretState, wish: ClaimWish): Promise<Claim> {
    const { ref, current } = state
    if (state.pointer === 'unconfirmed') await this.confirm(state)
    const place = await this.#placeOf(state)
    const question = { journal: place.journal, current: current?.id ?? null, published: [current?.ours], holderMayLive: true }
    const rotation = claimedRotation({ ...question, now: this.env.now() }, wish)
    await this.#write(ref, place, { ...(place.journal ?? { retiring: [] }), rotation }, 'claim')
    const { token, kind, holder, attempt, base, leaseUntil } = rotation
    return { ref, token, kind, holder, attempt, base, leaseUntil, drivenBy: 'engine' }
  }

  /** Refuses before anything is sent what the service would take and nobody could read. too_large, bad_value. */
  async stage(claim: Claim, value: SecretText): Promise<StagedValue> {
    bytesOf(value)
    return stageUnfenced(this.#calls(claim), claim, value)
  }

  async discard(claim: Claim, version: VersionId): Promise<'again'> {
    return discardUnfenced(this.#calls(claim), claim, version)
  }

  async publish(claim: Claim, version: VersionId, tested?: SecretText): Promise<VersionInfo> {
    return publishUnfenced(this.#calls(claim), claim, version, tested)
  }

  async note(state: SecretState, patch: NotePatch): Promise<void> {
    const place = await this.#placeOf(state)
    await this.#write(state.ref, place, withNote(place.journal, patch), 'note')
  }

  /**
   * The secrets of the project of this process: the global ones, then those of each location. A location that cannot be listed goes to `failed`, so that the
   * others are still listed. The journals are in the listing, too, which may be hours old.
   */
  async *list(filter: { readonly managed: boolean }, failed?: (shown: string, cause: unknown) => void): AsyncIterable<Listed> {
    const project = await this.#ownProject('the list of secrets')
    for await (const page of this.#pages({ project }, filter)) for (const one of page) yield one
    for (const location of this.#locations) {
      try {
        for await (const page of this.#pages({ project, location }, filter)) for (const one of page) yield one
      } catch (cause) {
        if (failed === undefined) throw cause
        const shown = `gcp:projects/${project}/locations/${location}`
        failed(shown, unlistedError(shown, cause))
      }
    }
  }
  /** Whole pages: a promise for each secret would cost more than all else that is done with it. */
  async *#pages(place: Omit<SecretName, 'secret'>, { managed }: { readonly managed: boolean }): AsyncIterable<readonly Listed[]> {
    for await (const page of joined(this.api.secrets(place), readName))
      yield page.flatMap(({ secret, journal }) => {
        const policy = policyOf(secret)
        if (managed && Object.keys(policy).length === 0) return []
        const { secret: id } = readName(secret.resource)
        const ref = refOf({ ...place, secret: id }, secret.resource)
        return { ref, policy, drivenBy: 'engine' as const, unfenced: true as const, ...nativeOf(secret), ...optional('journal', journal) }
      })
  }

  async dispose(ref: SecretRef, version: VersionId): Promise<void> {
    const { api, env } = this
    const state = await this.describe(ref)
    await dispose({ api, env, ref, name: this.at(ref), version, state })
  }

  classify(cause: unknown): Code {
    return classify(cause)
  }

  #calls(claim: Claim): UnfencedCalls {
    return callsOf({ api: this.api, env: this.env, ref: claim.ref, name: this.at(claim.ref), claim, unnamed: this.#unnamed })
  }

  /** The staging place, as it was when the state was read. conflict; stuck where it is gone. */
  async #placeOf({ ref, rev, policy }: SecretState): Promise<Place> {
    const last = lastPlace(this.api, this.at(ref))
    if (last !== undefined && revOf(last) === rev) return last
    const place = await readPlace(this.api, this.at(ref))
    if (place === undefined) throw Object.keys(policy).length > 0 ? placeLostError(ref) : noPlaceError(ref)
    if (revOf(place) === rev) return place
    throw overtakenError(ref)
  }
  async #write(ref: SecretRef, place: Place, journal: Journal, write: JournalWrite): Promise<void> {
    if ((await writeJournal(this.api, place, journal, write)) === undefined) throw placeLostError(ref)
  }

  /** Says of a missing secret that it is missing. */
  protected async found<T>(shown: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (cause) {
      if (!isAbsent(cause)) throw cause
      throw new RotationError('not_found', `There is no secret ${shown}.`, {
        field: 'ref',
        cause,
        next: `Check the name and the project; keyturn list --store ${kind} shows what is there.`,
      })
    }
  }
}

function unlistedError(shown: string, cause: unknown): RotationError {
  const call = cause instanceof RotationError && cause.code === 'unavailable' ? cause.cause : cause
  if (cause instanceof RotationError && !(call instanceof CallError)) return cause
  return new RotationError(classify(cause), `The secrets of ${shown} could not be listed (${sayError(call)}).`, {
    cause,
    next: 'Check KEYTURN_GCP_LOCATIONS, and that the endpoint of this location can be reached.',
  })
}

const noProjectError = (cause: unknown): RotationError =>
  new RotationError('bad_config', 'Nothing says in which project of Google Cloud the secret is.', {
    cause,
    field: projectField,
    next: 'Set GOOGLE_CLOUD_PROJECT, or write gcp:projects/PROJECT/secrets/NAME.',
  })
