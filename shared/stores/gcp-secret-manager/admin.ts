import { assertSettled } from '../../core/claims.js'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Deployable, Deployment, DeploymentWish } from '../../core/ports/deployment.js'
import type { Env } from '../../core/ports/env.js'
import type { SecretStoreAdmin, VersionInfo } from '../../core/ports/store.js'
import type { Policy, SecretRef } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { overtakenError } from '../../core/unfenced/errors.js'
import { GcpSecretManager } from '../gcp-secret-manager.js'
import { assertNamesCurrent, goesByAlias, ourAliases, pointedBy } from './aliases.js'
import { assertAnnotationsFit } from './annotations.js'
import { isThere } from './api.js'
import type { OpenClient } from './client.js'
import { gcpOptions } from './environment.js'
import { infoOf } from './line.js'
import { assertNotManaged } from './managed.js'
import { assertPlaceFits, gcloudSecrets, refOf, resourceOf, type SecretName } from './names.js'
import { isPlace, placeLabel, placeName, readPlace, stateKey } from './place.js'
import { policyOf, revOf } from './reader.js'
import { type ScheduleChange, scheduleChange, topicError, wantsNotices, withoutSchedule } from './schedule.js'
import { bytesOf } from './staged.js'
import type { Secret } from './wire.js'

const labelWord = `--update-labels=${Object.entries(placeLabel)
  .map((pair) => pair.join('='))
  .join(',')}`

/** The store with a person's rights: it makes and removes staging places, and writes policy. */
export class GcpSecretManagerAdmin extends GcpSecretManager implements SecretStoreAdmin, Deployable {
  /** As `gcpOptions` says. */
  static openFrom = (environment: Readonly<Record<string, string | undefined>>, env: Env, open?: OpenClient): GcpSecretManagerAdmin =>
    new GcpSecretManagerAdmin({ ...gcpOptions(environment, env), ...optional('open', open) })

  async create(name: string, value: SecretText, policy: Policy): Promise<SecretRef> {
    const bytes = bytesOf(value)
    const asked = await this.nameOf(name)
    assertPlaceFits(asked)
    assertAnnotationsFit(`gcp:${resourceOf(asked)}`, policy, Object.keys(policy))
    const { resource } = await this.#made(asked, `gcp:${resourceOf(asked)}`, policy)
    await this.#ensurePlace(asked)
    const { number } = await this.api.add(asked, bytes)
    if (goesByAlias({ annotations: policy })) await this.#point(asked, number)
    return refOf(asked, resource)
  }

  async #point(name: SecretName, number: number): Promise<void> {
    const { aliases, etag } = await this.api.get(name)
    await this.api.update(name, etag, { aliases: { ...aliases, [ourAliases.current]: String(number) } })
  }

  async #made(name: SecretName, shown: string, policy: Policy) {
    try {
      return await this.api.create(name, { annotations: policy })
    } catch (cause) {
      if (!isThere(cause)) throw cause
      throw new RotationError('exists', `${shown} already exists.`, {
        cause,
        field: 'ref',
        next: 'Put a new value into it, or choose another name.',
      })
    }
  }

  /**
   * Changes our annotations and nobody else's, and in the same write what the service notifies of, where it can. A secret that gets a policy gets a
   * staging place, too. bad_config or denied where the service does not reach a topic.
   */
  async setPolicy(ref: SecretRef, patch: Readonly<Record<string, string | null>>): Promise<void> {
    const name = this.at(ref)
    await this.found(ref.shown, async () => {
      const secret = await this.api.get(name)
      assertNotManaged(secret, ref.shown)
      const entries = Object.entries({ ...secret.annotations, ...patch })
      const annotations = Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null))
      const pointed = pointedBy({ ...secret, annotations }, ref, name) // what could not be read afterwards is not written
      if (pointed !== undefined && !goesByAlias(secret)) assertNamesCurrent(ref, name, pointed, await this.describe(ref))
      const now = this.env.now()
      const publishedAt = wantsNotices(secret, annotations) ? await this.#publishedAt(name, { ...secret, annotations }) : undefined
      const change = scheduleChange(secret, annotations, { now, publishedAt: publishedAt ?? now })
      assertAnnotationsFit(ref.shown, change.annotations, Object.keys(patch))
      if (Object.values(patch).some((value) => value !== null)) await this.#ensurePlace(name)
      await this.#update(ref, secret, change)
    })
  }

  /** A folder for Terraform. */
  async prepareDeployment(wish: DeploymentWish): Promise<Deployment> {
    const { prepareDeployment } = await import('./deployment.js') // only this command needs it
    return prepareDeployment(wish, {
      read: async (text) => {
        const ref = await this.resolve(text)
        const { policy } = await this.describe(ref)
        return { shown: ref.shown, policy, destroysLater: (await this.api.get(this.at(ref))).destroysLater }
      },
      nameOf: (text) => this.nameOf(text),
    })
  }

  /** When the version was made that consumers read; undefined where there is none. */
  async #publishedAt(name: SecretName, secret: Secret): Promise<number | undefined> {
    const pointed = goesByAlias(secret) ? secret.aliases[ourAliases.current] : undefined
    if (pointed !== undefined) return (await this.api.version(name, Number(pointed))).createdAt
    for await (const { createdAt } of this.api.versions(name, 'enabled')) return createdAt
    return undefined
  }

  async #update(ref: SecretRef, secret: Secret, change: ScheduleChange): Promise<void> {
    try {
      await this.api.update(this.at(ref), secret.etag, change)
    } catch (cause) {
      throw (change.rotation ? topicError(cause, secret, ref.shown) : undefined) ?? cause
    }
  }

  /** All versions, even those that cannot be read, newest first. */
  async *history(ref: SecretRef): AsyncIterable<VersionInfo> {
    for await (const version of this.api.versions(this.at(ref), 'all')) yield infoOf(version)
  }

  /** conflict where a rotation was begun meanwhile. The aliases stay: consumers may read by them. So does a schedule that somebody else has written or changed. */
  async release(ref: SecretRef): Promise<void> {
    const state = await this.describe(ref)
    assertSettled(state)
    const name = this.at(ref)
    await this.found(ref.shown, async () => {
      const place = await readPlace(this.api, name)
      if (place !== undefined && revOf(place) !== state.rev) throw overtakenError(ref)
      const secret = await this.api.get(name)
      const policy = policyOf(secret)
      const others = Object.fromEntries(Object.entries(secret.annotations).filter(([key]) => !(key in policy)))
      const change = withoutSchedule(secret, others)
      const isOurs = Object.keys(change.annotations).length < Object.keys(secret.annotations).length
      if (isOurs || change.rotation !== undefined) await this.#update(ref, secret, change)
      if (place !== undefined) await this.api.remove(place.name, place.secret.etag)
    })
  }

  async restorePlace(ref: SecretRef): Promise<void> {
    await this.#ensurePlace(this.at(ref))
  }

  /** Makes the staging place where it is not there. exists for a secret of somebody else under its name. */
  async #ensurePlace(consumer: SecretName): Promise<void> {
    assertPlaceFits(consumer)
    const place = await readPlace(this.api, consumer)
    if (place === undefined) {
      await this.api.create(placeName(consumer), { labels: placeLabel })
      return
    }
    if (isPlace(place.secret)) return
    const shown = resourceOf(place.name)
    throw new RotationError('exists', `${shown} is there, and is not labelled as a staging place.`, {
      field: 'ref',
      next: `Use another name for the managed secret, or delete ${place.name.secret} if nobody needs it. If it has the annotation ${stateKey}, it is a staging place without its label: ${gcloudSecrets('update', place.name, labelWord)}.`,
    })
  }
}
