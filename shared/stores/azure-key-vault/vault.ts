import type { KeyVaultSecret, SecretProperties } from '@azure/keyvault-secrets'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import type { VersionId } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { type Clients, callMsMax } from './client.js'
import { type Call, calling, classify } from './errors.js'
import { rethrowFirewall, setupError } from './explain.js'
import { type SecretName, shownOf, shownVault } from './names.js'
import { Seen } from './seen.js'
import type { Tags } from './tags.js'
import type { Valued, Version } from './version.js'

/** A secret of a listing, with what its newest version says. */
export interface ListedSecret {
  readonly secret: string
  readonly tags: Tags
  readonly isEnabled: boolean
  readonly expiresAt?: number
}
/** What a new version is made with. */
export interface NewVersion {
  readonly tags: Tags
  readonly contentType?: string | undefined
  readonly expiresAt?: number | undefined
  readonly enabled?: boolean
}
/** What changes of a version. Tags are replaced as a whole. */
export interface Patch {
  readonly tags?: Tags
  readonly enabled?: boolean
  readonly expiresAt?: number
}

/** Of each page. */
const listOptions = { requestOptions: { timeout: callMsMax } } as const

const dateOf = (at: number | undefined): { expiresOn?: Date } => optional('expiresOn', at === undefined ? undefined : new Date(at))

/** The calls of vaults that we make, with names of our own. Errors are CallErrors, or say what a person can do about them. */
export class Vaults {
  readonly #clients: Clients
  readonly #env: Pick<Env, 'now'>
  readonly #seen = new Seen()
  constructor(clients: Clients, env: Pick<Env, 'now'>) {
    this.#clients = clients
    this.#env = env
  }

  /** The newest version, whatever its state: a disabled one is refused. It is never old. */
  async newest(name: SecretName): Promise<Valued> {
    this.#seen.forget(name)
    const found = await this.#call('getSecret', name, (client, options) => client.getSecret(name.secret, options))
    return this.#seen.keep(name, valuedOf(found), this.#env.now())
  }
  /** What `newest` answered last in this process, however long ago. */
  lastNewest = (name: SecretName): Valued | undefined => this.#seen.last(name)
  /** A version that was the newest a moment ago. */
  justSeen = (name: SecretName, version: VersionId): Valued | undefined => this.#seen.value(name, version, this.#env.now())
  /** By its id. A disabled one is refused. */
  async version(name: SecretName, version: VersionId): Promise<Valued> {
    return valuedOf(await this.#call('getVersion', name, (client, options) => client.getSecret(name.secret, { ...options, version })))
  }
  /** All versions, in any order; none for a secret that was never there. 25 of them are one call. */
  async versions(name: SecretName): Promise<readonly Version[]> {
    const found: Version[] = []
    const pages = this.#clients.secretsOf(name.host).listPropertiesOfSecretVersions(name.secret, listOptions).byPage()
    for (;;) {
      const { done, value } = await this.#listed('listVersions', name, () => pages.next())
      if (done) return found
      found.push(...value.map(versionOf))
    }
  }
  /** The secrets of a vault, a page at a time. */
  async *secrets(host: string): AsyncIterable<readonly ListedSecret[]> {
    const pages = this.#clients.secretsOf(host).listPropertiesOfSecrets(listOptions).byPage()
    for (;;) {
      const { done, value } = await this.#listed('listSecrets', { host, secret: '' }, () => pages.next())
      if (done) return
      yield value.map(listedOf)
    }
  }

  /**
   * Adds a version, which is what is read from then on. It has no condition. `until`: when its deadline ends at the latest, by the clock of the
   * process; conflict where that has passed before anything is sent.
   */
  async set(
    name: SecretName,
    value: SecretText,
    { expiresAt, contentType, ...rest }: NewVersion,
    until = Number.POSITIVE_INFINITY,
  ): Promise<Version> {
    this.#seen.forget(name)
    const timeMs = Math.min(callMsMax, until - this.#env.now())
    if (timeMs <= 0) throw new RotationError('conflict', 'The lease is over: nothing was written.', { next: 'The state is read again.' })
    const given = { ...rest, ...dateOf(expiresAt), ...optional('contentType', contentType) }
    const set = await this.#call(
      'setSecret',
      name,
      (client, options) => client.setSecret(name.secret, value.reveal(), { ...options, ...given }),
      timeMs,
    )
    return versionOf(set.properties)
  }
  /** Changes what a version says beside its value. */
  async update(name: SecretName, version: VersionId, { expiresAt, ...patch }: Patch): Promise<Version> {
    this.#seen.forget(name)
    const given = { ...patch, ...dateOf(expiresAt) }
    return versionOf(
      await this.#call('updateVersion', name, (client, options) =>
        client.updateSecretProperties(name.secret, version, { ...options, ...given }),
      ),
    )
  }
  /** Whether the secret was deleted and can be had back: an error says that it cannot. */
  async deleted(name: SecretName): Promise<void> {
    await this.#call('getDeletedSecret', name, (client, options) => client.getDeletedSecret(name.secret, options))
  }
  /** Asks for a deleted secret back. It takes a while until it can be read. */
  async recover(name: SecretName): Promise<void> {
    await this.#call('recoverSecret', name, (client, options) => client.beginRecoverDeletedSecret(name.secret, options))
  }

  /** The client loses why a listing was refused. A read of one secret is refused by the same firewall, and says it. */
  async #listed<T>(call: Call, name: SecretName, next: () => Promise<T>): Promise<T> {
    try {
      return await this.#call(call, name, next)
    } catch (cause) {
      if (classify(cause) === 'denied') await this.#assertNoFirewall(name)
      throw cause
    }
  }

  async #assertNoFirewall(name: SecretName): Promise<void> {
    const read = this.#clients.secretsOf(name.host).getSecret(name.secret || 'keyturn', { abortSignal: AbortSignal.timeout(callMsMax) })
    await calling('getSecret', read).catch((cause: unknown) => rethrowFirewall(cause, aboutOf(name)))
  }

  async #call<T>(call: Call, name: SecretName, make: (client: Client, options: Options) => Promise<T>, timeMs = callMsMax): Promise<T> {
    const abortSignal = AbortSignal.timeout(timeMs)
    const about = aboutOf(name)
    return calling(call, make(this.#clients.secretsOf(name.host), { abortSignal })).catch((cause: unknown) => {
      throw setupError(cause, about) ?? cause
    })
  }
}
const aboutOf = (name: SecretName) => ({ shown: name.secret === '' ? `azure:${shownVault(name.host)}` : shownOf(name), host: name.host })
type Client = ReturnType<Clients['secretsOf']>
interface Options {
  readonly abortSignal: AbortSignal
}

function versionOf({ version, createdOn, enabled, tags, contentType, expiresOn }: SecretProperties): Version {
  return {
    id: (version ?? '') as VersionId,
    madeAt: createdOn?.getTime() ?? 0,
    isEnabled: enabled !== false,
    tags: { ...tags },
    ...optional('contentType', contentType),
    ...optional('expiresAt', expiresOn?.getTime()),
  }
}
const valuedOf = ({ properties, value = '' }: KeyVaultSecret): Valued => ({ ...versionOf(properties), value: new SecretText(value) })
function listedOf({ name, enabled, tags, expiresOn }: SecretProperties): ListedSecret {
  const rest = { tags: { ...tags }, isEnabled: enabled !== false, ...optional('expiresAt', expiresOn?.getTime()) }
  return { secret: name.toLowerCase(), ...rest }
}
