import { assertSettled } from '../../core/claims.js'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Deployable, Deployment, DeploymentWish } from '../../core/ports/deployment.js'
import type { Env } from '../../core/ports/env.js'
import type { SecretStoreAdmin, VersionInfo } from '../../core/ports/store.js'
import type { Policy, SecretRef } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { overtakenError } from '../../core/unfenced/errors.js'
import { AzureKeyVault } from '../azure-key-vault.js'
import type { Opener } from './client.js'
import type { Document, Held } from './documents.js'
import { azureOptions, noStorageError } from './environment.js'
import { isDeleted } from './errors.js'
import { leaseIdOf, writeBeside } from './leases.js'
import { infoOf, newestOf } from './line.js'
import { assertPlaceFits, azWhere, nameOf, refOf, type SecretName, shownOf } from './names.js'
import { ensurePlace, isThere, wasDeleted } from './place.js'
import { historyOf, policyOf, revOf } from './reader.js'
import { everyMsOf, expiryOf } from './schedule.js'
import { assertTagsFit, policyTags, released, withPolicy } from './tags.js'
import { assertValue } from './value.js'
import type { Valued } from './version.js'

/** The store with a person's rights: it makes and removes staging places and journals, and writes policy. */
export class AzureKeyVaultAdmin extends AzureKeyVault implements SecretStoreAdmin, Deployable {
  /** As `azureOptions` says. */
  static openFrom = (environment: Readonly<Record<string, string | undefined>>, env: Env, open?: Opener): AzureKeyVaultAdmin =>
    new AzureKeyVaultAdmin({ ...azureOptions(environment, env), ...optional('open', open) })

  /** The service makes no difference between a new secret and a new version: what is there is looked at first. exists for a deleted one, too. */
  async create(text: string, value: SecretText, policy: Policy): Promise<SecretRef> {
    assertValue(value)
    const name = this.nameOf(text)
    assertPlaceFits(name)
    const tags = policyTags(policy)
    const shown = shownOf(name)
    if (await this.#isTaken(name)) throw takenError(shown, 'Put a new value into it, or choose another name.')
    // Its journal and its place come back with it.
    if (await wasDeleted(this.vaults, name)) throw deletedError(name)
    await this.#ensurePlace(name)
    const held = await this.documents.read(name)
    await this.#write(name, held, { journal: null, policy })
    const now = this.env.now()
    try {
      await this.vaults.set(name, value, { tags, expiresAt: expiryOf(policy, now, now) })
    } catch (cause) {
      throw isDeleted(cause) ? deletedError(name) : cause
    }
    return refOf(name)
  }
  async #isTaken(name: SecretName): Promise<boolean> {
    return isThere(this.vaults, name)
  }

  /**
   * Changes the master copy, then the one in the tags of the newest version, and when that expires, so that the service notifies as the policy says.
   * Tags of others stay. A secret that gets a policy gets a staging place, too.
   */
  async setPolicy(ref: SecretRef, patch: Readonly<Record<string, string | null>>): Promise<void> {
    const name = nameOf(ref.key)
    await this.found(ref.shown, async () => {
      const newest = await newestOf(this.vaults, name)
      if (newest === undefined) throw disabledError(ref)
      assertTagsFit(ref.shown, newest.tags)
      const before = await this.documents.read(name)
      const entries = Object.entries({ ...policyOf(before, newest), ...patch })
      const policy = Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null))
      const tags = withPolicy(newest.tags, policy)
      if (Object.values(patch).some((value) => value !== null)) await this.#ensurePlace(name)
      const held = before ?? (await this.documents.read(name))
      const notice = this.#noticeOf(newest, held?.document, policy)
      const { notice: _, ...rest } = { journal: null, ...held?.document }
      await this.#write(name, held, { ...rest, policy, ...optional('notice', notice) })
      await this.vaults.update(name, newest.id, { tags, ...optional('expiresAt', notice?.expiresAt) })
    })
  }

  /** A folder for Terraform. */
  async prepareDeployment(wish: DeploymentWish): Promise<Deployment> {
    const { prepareDeployment } = await import('./deployment.js') // only this command needs it
    return prepareDeployment(wish, {
      read: async (text) => {
        const ref = await this.resolve(text)
        return { shown: ref.shown, name: nameOf(ref.key), policy: (await this.describe(ref)).policy }
      },
      nameOf: (text) => this.nameOf(text),
    })
  }

  /** When the newest version has to expire; undefined where nothing has to change. */
  #noticeOf(newest: Valued, document: Document | undefined, policy: Policy): Document['notice'] {
    const { createdAt } = infoOf(newest)
    const expiresAt = expiryOf(policy, createdAt, this.env.now())
    if (expiresAt === undefined) return undefined
    return newest.expiresAt === expiresAt ? document?.notice : { everyMs: everyMsOf(policy) ?? 0, expiresAt }
  }

  async *history(ref: SecretRef): AsyncIterable<VersionInfo> {
    const held = await this.documents.read(nameOf(ref.key))
    yield* await this.found(ref.shown, () => historyOf(this.vaults, nameOf(ref.key), held?.document.journal ?? null))
  }

  /** conflict where a rotation was begun meanwhile. The expiry of the newest version stays: nothing but a notice comes of it. */
  async release(ref: SecretRef): Promise<void> {
    if (!this.documents.areKept) throw noStorageError(ref.shown)
    const state = await this.describe(ref)
    assertSettled(state)
    const name = nameOf(ref.key)
    await this.found(ref.shown, async () => {
      const held = await this.documents.read(name)
      if (revOf(held) !== state.rev) throw overtakenError(ref)
      const newest = await newestOf(this.vaults, name)
      if (newest !== undefined && Object.keys(released(newest.tags)).length < Object.keys(newest.tags).length)
        await this.vaults.update(name, newest.id, { tags: released(newest.tags) })
      if (held !== undefined) await this.documents.remove(name, held.etag)
      await this.#emptyPlace(name)
    })
  }
  /** The name of a deleted secret cannot be used for a while: the place stays, and nothing in it can be read. */
  async #emptyPlace(name: SecretName): Promise<void> {
    const { name: place } = this.placeOf(name)
    for (const { id, isEnabled } of await this.vaults.versions(place))
      if (isEnabled) await this.vaults.update(place, id, { enabled: false })
  }

  async restorePlace(ref: SecretRef): Promise<void> {
    await this.#ensurePlace(nameOf(ref.key))
  }

  async #ensurePlace(name: SecretName): Promise<void> {
    assertPlaceFits(name)
    await this.documents.makeContainer(name)
    await ensurePlace(this.vaults, this.placeOf(name), this.env)
  }
  async #write(name: SecretName, held: Held | undefined, document: Document): Promise<void> {
    const rotation = held?.document.journal?.rotation
    const isLive = rotation !== undefined && rotation.leaseUntil > this.env.now()
    await writeBeside(this.documents, { ref: refOf(name), document, etag: held?.etag }, rotation && leaseIdOf(rotation), isLive)
  }
}

const deletedError = (name: SecretName): RotationError =>
  takenError(shownOf(name), `It was deleted: az keyvault secret recover ${azWhere(name)} has it back, and purge frees its name.`)
const takenError = (shown: string, next: string): RotationError =>
  new RotationError('exists', `${shown} already exists.`, { field: 'ref', next })
const disabledError = ({ shown }: SecretRef): RotationError =>
  new RotationError('not_found', `The newest version of ${shown} is disabled.`, {
    field: 'ref',
    next: 'Enable it, or set a new value with az keyvault secret set: who reads the secret gets nothing.',
  })
