import { claimedRotation } from '../core/claims.js'
import { RotationError } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import type { Code } from '../core/ports/errors.js'
import type {
  Claim,
  ClaimWish,
  CurrentValue,
  Journal,
  Listed,
  NotePatch,
  OpenRotation,
  SecretState,
  SecretStore,
  StagedValue,
  StoreTraits,
  VersionInfo,
} from '../core/ports/store.js'
import type { Policy, SecretRef, VersionId } from '../core/ports/words.js'
import type { SecretText } from '../core/secret-text.js'
import { overtakenError } from '../core/unfenced/errors.js'
import { withNote } from '../core/unfenced/pointer.js'
import { discardUnfenced, publishUnfenced, stageUnfenced, type UnfencedCalls } from '../core/unfenced/writes.js'
import { callsOf } from './azure-key-vault/calls.js'
import { Clients, type Opener, openWith } from './azure-key-vault/client.js'
import { dispose } from './azure-key-vault/dispose.js'
import { Documents, type Held } from './azure-key-vault/documents.js'
import { noStorageError, type Storage, vaultsField } from './azure-key-vault/environment.js'
import { askedWaitMs, classify, isAbsent, isDisabled } from './azure-key-vault/errors.js'
import { leaseIdOf, leaseLostError, writeBeside } from './azure-key-vault/leases.js'
import { newestOf, readableOf } from './azure-key-vault/line.js'
import { listed } from './azure-key-vault/listing.js'
import { isPlaceError, isVersion, kind, nameOf, readName, refOf, type SecretName, shownOf, shownVault } from './azure-key-vault/names.js'
import { type Place, placeFor, stagedVersion } from './azure-key-vault/place.js'
import { describe, revOf } from './azure-key-vault/reader.js'
import { assertTagsFit, isPlace } from './azure-key-vault/tags.js'
import { assertValue, valueBytesMax } from './azure-key-vault/value.js'
import { Vaults } from './azure-key-vault/vault.js'

/** How the services are reached. */
export interface AzureOptions {
  readonly env: Env
  /** The hosts of the vaults that a listing shows. A name without a vault is in the only one. */
  readonly vaults?: readonly string[]
  /** The vault of all staging places; absent: each is beside its secret. */
  readonly stagingHost?: string
  /** Absent: nothing is written. */
  readonly storage?: Storage
  readonly container?: string
  readonly open?: Opener
}

/**
 * Azure Key Vault. What consumers read is the newest version, which is always a tested one: the pending value is in a secret of its own. The journal
 * is in a blob, under a lease. Adding a version has no condition and versions have no order; the rules for that are those of core/unfenced.
 */
export class AzureKeyVault implements SecretStore {
  readonly traits: StoreTraits = { journalCas: true, valueBytesMax }
  protected readonly vaults: Vaults
  protected readonly documents: Documents
  protected readonly env: Env
  readonly #clients: Clients
  readonly #hosts: readonly string[]
  readonly #stagingHost: string | undefined
  readonly #unnamed = new WeakMap<Claim, VersionId>()

  constructor({ env, vaults = [], stagingHost, storage, container = 'keyturn', open = openWith() }: AzureOptions) {
    this.env = env
    this.#clients = new Clients(open, storage, container)
    this.vaults = new Vaults(this.#clients, env)
    this.documents = new Documents(this.#clients)
    this.#hosts = vaults
    this.#stagingHost = stagingHost
  }

  /** Reads a name that a person or an event gave, without a call. */
  protected readonly nameOf = (text: string): SecretName => readName(text, this.#hosts)
  protected readonly placeOf = (name: SecretName): Place => placeFor(name, this.#stagingHost)

  /** One that cannot be read is there all the same. */
  async resolve(text: string): Promise<SecretRef> {
    const name = this.nameOf(text)
    const newest = await this.found(shownOf(name), () => newestOf(this.vaults, name))
    // What is staged is disabled most of the time, and then only a list shows whose it is.
    const seen = newest === undefined ? await this.vaults.versions(name) : [newest]
    if (seen.some(({ tags }) => isPlace(tags))) throw isPlaceError(shownOf(name))
    return refOf(name)
  }

  async describe(ref: SecretRef): Promise<SecretState> {
    const { vaults, documents } = this
    return this.found(ref.shown, () => describe({ vaults, documents }, ref, this.placeOf(nameOf(ref.key))))
  }

  async read(ref: SecretRef, version: VersionId): Promise<SecretText> {
    const name = nameOf(ref.key)
    const staged = stagedVersion(version)
    const [where, id] = staged === undefined ? [name, version] : [this.placeOf(name).name, staged]
    const found = isVersion(id) ? (this.vaults.justSeen(where, id) ?? (await readableOf(this.vaults, where, id))) : undefined
    if (found !== undefined) return found.value
    throw new RotationError('not_found', `${ref.shown} has no version ${version} that can be read.`, {
      next: `See keyturn get ${ref.shown}; a disabled version can be enabled again.`,
    })
  }

  /** With one call and one right. */
  async readCurrent(text: string): Promise<CurrentValue> {
    const name = this.nameOf(text)
    try {
      const { value, tags } = await this.found(shownOf(name), () => this.vaults.newest(name))
      if (isPlace(tags)) throw isPlaceError(shownOf(name))
      return { ref: refOf(name), value }
    } catch (cause) {
      if (!isDisabled(cause)) throw cause
      throw new RotationError('not_found', `The newest version of ${shownOf(name)} is disabled.`, {
        cause,
        field: 'ref',
        next: 'Enable it, or set a new value with az keyvault secret set: who reads the secret gets nothing.',
      })
    }
  }

  /** All tags of the newest version. */
  async tags(ref: SecretRef): Promise<Policy> {
    return (await this.found(ref.shown, () => newestOf(this.vaults, nameOf(ref.key))))?.tags ?? {}
  }

  async claim(state: SecretState, wish: ClaimWish): Promise<Claim> {
    const { ref, current } = state
    const held = await this.#heldOf(state)
    const before = held?.document.journal ?? null
    const question = { journal: before, current: current?.id ?? null, published: [current?.ours], holderMayLive: true }
    const rotation = claimedRotation({ ...question, now: this.env.now() }, wish)
    const newest = this.vaults.lastNewest(nameOf(ref.key))
    // Before anything is made at the target. What is staged already is published all the same.
    if (rotation.staged === undefined && newest !== undefined) assertTagsFit(ref.shown, newest.tags)
    const journal = { ...(before ?? { retiring: [] }), rotation }
    const mayUse = before?.rotation && (before.rotation.published !== undefined || before.rotation.holder === wish.holder)
    const old = mayUse && before?.rotation ? before.rotation : undefined
    await this.#write(state, held, journal, old)
    // Where there was no journal, nothing tells what happened since the look.
    if (held === undefined && (await newestOf(this.vaults, nameOf(ref.key)))?.id !== current?.id) throw overtakenError(ref)
    await this.#lease(ref, rotation, old, wish.leaseMs)
    const { token, kind, holder, attempt, base, leaseUntil } = rotation
    return { ref, token, kind, holder, attempt, base, leaseUntil, drivenBy: 'engine' }
  }
  /** Takes the service's own lease for a claim that is written, or gives it back. conflict. */
  async #lease(ref: SecretRef, rotation: OpenRotation, old: OpenRotation | undefined, leaseMs: number): Promise<void> {
    const [name, id] = [nameOf(ref.key), leaseIdOf(rotation)]
    if (leaseMs <= 0) return this.documents.release(name, id)
    if (await this.documents.acquire(name, id, leaseMs)) return
    if (old !== undefined && (await this.documents.change(name, leaseIdOf(old), id))) return
    throw leaseLostError(ref)
  }

  async renew({ ref, ...claim }: Claim): Promise<void> {
    if (!(await this.documents.renew(nameOf(ref.key), leaseIdOf(claim)))) throw leaseLostError(ref)
  }

  /** Refuses before anything is sent what the service would not take. too_large, bad_value. */
  async stage(claim: Claim, value: SecretText): Promise<StagedValue> {
    assertValue(value)
    return stageUnfenced(this.#calls(claim), claim, value)
  }

  async discard(claim: Claim, version: VersionId): Promise<'again'> {
    return discardUnfenced(this.#calls(claim), claim, version)
  }

  async publish(claim: Claim, version: VersionId, tested?: SecretText): Promise<VersionInfo> {
    return publishUnfenced(this.#calls(claim), claim, version, tested)
  }

  async note(state: SecretState, patch: NotePatch): Promise<void> {
    const held = await this.#heldOf(state)
    const journal = held?.document.journal ?? null
    await this.#write(state, held, withNote(journal, patch), journal?.rotation)
  }

  /** The secrets of the vaults of this process. A vault that cannot be listed goes to `failed`, so that the others are still listed. */
  async *list({ managed }: { readonly managed: boolean }, failed?: (shown: string, cause: unknown) => void): AsyncIterable<Listed> {
    if (this.#hosts.length === 0) throw noVaultsError()
    const { vaults, documents } = this
    for (const host of this.#hosts) {
      try {
        for await (const page of listed({ vaults, documents }, host, managed)) for (const one of page) yield one
      } catch (cause) {
        if (failed === undefined) throw cause
        failed(`${kind}:${shownVault(host)}`, cause)
      }
    }
  }

  async dispose(ref: SecretRef, version: VersionId): Promise<void> {
    const state = await this.describe(ref)
    await dispose({ vaults: this.vaults, ref, place: this.placeOf(nameOf(ref.key)), version, state })
  }

  classify(cause: unknown): Code {
    return classify(cause)
  }
  askedWaitMs(cause: unknown): number | undefined {
    return askedWaitMs(cause, this.env.now())
  }

  #calls(claim: Claim): UnfencedCalls {
    const { vaults, documents, env } = this
    const name = nameOf(claim.ref.key)
    return callsOf({ vaults, documents, env, ref: claim.ref, name, place: this.placeOf(name), claim, unnamed: this.#unnamed })
  }

  /** The document, as it was when the state was read. conflict; bad_config without a storage account. */
  async #heldOf({ ref, rev }: SecretState): Promise<Held | undefined> {
    if (!this.#clients.hasStorage) throw noStorageError(ref.shown)
    const name = nameOf(ref.key)
    const last = this.documents.last(name)
    const held = last !== undefined && revOf(last) === rev ? last : await this.documents.read(name)
    if (revOf(held) === rev) return held
    throw overtakenError(ref)
  }
  async #write({ ref, policy }: SecretState, held: Held | undefined, journal: Journal, rotation: OpenRotation | undefined): Promise<void> {
    const document = { policy, ...held?.document, journal }
    const isLive = rotation !== undefined && rotation.leaseUntil > this.env.now()
    await writeBeside(this.documents, { ref, document, etag: held?.etag }, rotation && leaseIdOf(rotation), isLive)
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
        next: `Check the name and the vault; keyturn list --store ${kind} shows what is there. One that was deleted can be recovered.`,
      })
    }
  }
}

const noVaultsError = (): RotationError =>
  new RotationError('bad_config', 'Nothing says which vaults to list.', {
    field: vaultsField,
    next: `Set ${vaultsField} to their names, with spaces between.`,
  })
