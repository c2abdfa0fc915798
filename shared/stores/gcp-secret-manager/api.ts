import { RotationError } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import { type Client, Clients, callOptions, type OpenClient } from './client.js'
import { crc32c } from './crc32c.js'
import { type Call, CallError, calling, isInState, setupError, statuses, statusOf } from './errors.js'
import { Kept } from './kept.js'
import { hostOf, parentOf, resourceOf, type SecretName } from './names.js'
import { Pace } from './pace.js'
import { type Payload, payloadOf, type Secret, secretOf, type Version, versionOf } from './wire.js'

/** When the service says that a rotation is due, and how often. */
export interface Rotation {
  readonly nextAt: number
  readonly everyMs: number
}

/** What an update changes: each map replaces the one that is there. */
export interface Maps {
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly aliases?: Readonly<Record<string, string>>
  /** null takes the schedule away. */
  readonly rotation?: Rotation | null
}
const masks = { labels: 'labels', annotations: 'annotations', aliases: 'version_aliases', rotation: 'rotation' } as const
const seconds = (ms: number): { readonly seconds: number } => ({ seconds: Math.ceil(ms / 1000) })
const wireRotation = ({ nextAt, everyMs }: Rotation) => ({ nextRotationTime: seconds(nextAt), rotationPeriod: seconds(everyMs) })

/** A secret to be made. */
export type NewSecret = Pick<Maps, 'labels' | 'annotations'>

const pageSize = 500
/**
 * The service takes 25,000, but a page is in memory as a whole, and one secret may have 16 KiB of annotations. A project has 600 reads a minute, and a page is
 * one: 100,000 secrets and their staging places are 80.
 */
const secretsPageSize = 2500
const listOptions = { ...callOptions, autoPaginate: false } as const
const versionResource = (name: SecretName, version: number | 'latest'): string => `${resourceOf(name)}/versions/${version}`

/** Throws an error with what a person can do about it, where a person can. */
const explained =
  (name: SecretName) =>
  (cause: unknown): never => {
    const shown = `gcp:${name.secret === '' ? parentOf(name) : resourceOf(name)}`
    throw setupError(cause, { shown, host: hostOf(name) }) ?? cause
  }

/** The calls that we make, with names of our own. Errors are CallErrors. */
export class Api {
  readonly #clients: Clients
  readonly #pace: Pace
  readonly #env: Env
  readonly #kept = new Kept()
  constructor(open: OpenClient, env: Env) {
    this.#env = env
    this.#clients = new Clients(open)
    this.#pace = new Pace(env)
  }

  close = (): Promise<void> => this.#clients.close()

  /** The project of the process, as the vendor's client finds it. */
  projectId = async (): Promise<string> => (await this.#clients.of(undefined)).getProjectId()

  async get(name: SecretName): Promise<Secret> {
    const [answer] = await this.#call('getSecret', name, (client) => client.getSecret({ name: resourceOf(name) }, callOptions))
    return this.#kept.keep(secretOf(answer), this.#env.now())
  }
  /** The same, for a `getOnce` that follows within a second. */
  async getFirst(name: SecretName): Promise<Secret> {
    return this.#kept.keep(await this.get(name), this.#env.now(), 'new')
  }
  /** What `getFirst` read a moment ago, once; else a call. The service's own answer may be minutes old. The name has the project's number. */
  getOnce = async (name: SecretName): Promise<Secret> => this.#kept.takeNew(resourceOf(name), this.#env.now()) ?? this.get(name)

  /** As this process read or wrote it last, for a write that is conditional on its etag. The name has the project's number. */
  last = (name: SecretName): Secret | undefined => this.#kept.last(resourceOf(name))

  /** Changes whole maps and the schedule in one write, only while the secret still has this etag. `until`: as for `add`. */
  async update(name: SecretName, etag: string, maps: Maps, until = Number.POSITIVE_INFINITY): Promise<Secret> {
    const { aliases, rotation, ...rest } = maps
    const moved = aliases === undefined ? {} : { versionAliases: { ...aliases } }
    const scheduled = rotation ? { rotation: wireRotation(rotation) } : {}
    const secret = { name: resourceOf(name), etag, ...rest, ...moved, ...scheduled }
    const paths = Object.entries(masks).flatMap(([key, mask]) => (key in maps ? [mask] : []))
    const options = await this.#turn(name, until)
    this.#kept.forget(resourceOf(name)) // whether it was written is not known where no answer comes
    const [answer] = await this.#call('updateSecret', name, (client) => client.updateSecret({ secret, updateMask: { paths } }, options))
    return this.#kept.keep(secretOf(answer), this.#env.now())
  }

  async create(name: SecretName, given: NewSecret): Promise<Secret> {
    const replication = name.location === undefined ? { replication: { automatic: {} } } : {}
    const request = { parent: parentOf(name), secretId: name.secret, secret: { ...given, ...replication } }
    const [answer] = await this.#call('createSecret', name, (client) => client.createSecret(request, callOptions))
    return secretOf(answer)
  }

  async remove(name: SecretName, etag: string): Promise<void> {
    this.#kept.forget(resourceOf(name))
    await this.#call('deleteSecret', name, (client) => client.deleteSecret({ name: resourceOf(name), etag }, callOptions))
  }

  /**
   * Adds a version. It has no condition, and the service may carry it out although no answer comes. `until`: when its deadline ends at the latest, by the
   * clock of the process; conflict where that has passed before anything is sent.
   */
  async add(name: SecretName, data: Uint8Array, until = Number.POSITIVE_INFINITY): Promise<Version> {
    const options = await this.#turn(name, until)
    const request = { parent: resourceOf(name), payload: { data, dataCrc32c: crc32c(data) } }
    const [answer] = await this.#call('addSecretVersion', name, (client) => client.addSecretVersion(request, options))
    return versionOf(answer)
  }

  async version(name: SecretName, number: number): Promise<Version> {
    const request = { name: versionResource(name, number) }
    const [answer] = await this.#call('getSecretVersion', name, (client) => client.getSecretVersion(request, callOptions))
    return versionOf(answer)
  }

  /** By number it is never stale. `latest` is the newest version, whatever its state, and may be hours old. */
  async access(name: SecretName, version: number | 'latest'): Promise<Payload> {
    const request = { name: versionResource(name, version) }
    const [answer] = await this.#call('accessSecretVersion', name, (client) => client.accessSecretVersion(request, callOptions))
    return payloadOf(answer)
  }

  async disable(name: SecretName, number: number): Promise<void> {
    const request = { name: versionResource(name, number) }
    await this.#pace.wait('version', request.name)
    await this.#call('disableSecretVersion', name, (client) => client.disableSecretVersion(request, callOptions))
  }

  async destroy(name: SecretName, number: number): Promise<void> {
    const request = { name: versionResource(name, number) }
    await this.#pace.wait('version', request.name)
    await this.#call('destroySecretVersion', name, (client) => client.destroySecretVersion(request, callOptions))
  }

  /** Newest first, as the service lists them. It may be hours old. */
  async *versions(name: SecretName, which: 'all' | 'enabled' | 'disabled'): AsyncIterable<Version> {
    const filter = which === 'all' ? {} : { filter: `state:${which.toUpperCase()}` }
    const request = { parent: resourceOf(name), pageSize, ...filter }
    for await (const one of this.#paged('listSecretVersions', name, (client) => client.listSecretVersionsAsync(request, listOptions)))
      yield versionOf(one)
  }

  /** All secrets of a project, or of one location of it, a page at a time. Newest first, as the service documents it. */
  async *secrets(place: Omit<SecretName, 'secret'>): AsyncIterable<readonly Secret[]> {
    const name = { ...place, secret: '' }
    let page = await this.#secretsFrom(name, '')
    yield page.secrets
    while (page.next !== '') {
      page = await this.#secretsFrom(name, page.next)
      yield page.secrets
    }
  }
  async #secretsFrom(name: SecretName, pageToken: string): Promise<{ readonly secrets: readonly Secret[]; readonly next: string }> {
    const request = { parent: parentOf(name), pageSize: secretsPageSize, pageToken }
    const [found, , answer] = await this.#call('listSecrets', name, (client) => client.listSecrets(request, listOptions))
    return { secrets: found.map(secretOf), next: answer.nextPageToken ?? '' }
  }

  /** Waits until the secret may be written again. Its deadline then ends with the lease. */
  async #turn(name: SecretName, until: number): Promise<{ readonly timeout: number; readonly retry: null }> {
    await this.#clients.of(name.location).catch(explained(name)) // else the time that it takes to find credentials would not count
    await this.#pace.wait('secret', resourceOf(name))
    const timeout = Math.min(callOptions.timeout, until - this.#env.now())
    if (timeout > 0) return { ...callOptions, timeout }
    throw new RotationError('conflict', 'The lease is over: nothing was written.', { next: 'The state is read again.' })
  }

  /** Makes a call. Its error says what a person can do about it: credentials, a permission, an API that is not enabled, a project. */
  async #call<T>(call: Call, name: SecretName, make: (client: Client) => Promise<T>): Promise<T> {
    return calling(call, this.#clients.of(name.location).then(make)).catch(explained(name))
  }
  async *#paged<T>(call: Call, name: SecretName, make: (client: Client) => AsyncIterable<T>): AsyncIterable<T> {
    const iterator = await this.#call(call, name, async (client) => make(client)[Symbol.asyncIterator]())
    for (;;) {
      const { done, value } = await this.#call(call, name, () => iterator.next())
      if (done) return
      yield value
    }
  }
}

const statusName = (cause: unknown): string | undefined =>
  cause instanceof CallError ? statuses[statusOf(cause.cause) ?? 0]?.[0] : undefined

/** Whether the service says that there is no such thing. */
export const isAbsent = (cause: unknown): boolean => statusName(cause) === 'NOT_FOUND'
/** Whether the service says that there is such a secret already. */
export const isThere = (cause: unknown): boolean => statusName(cause) === 'ALREADY_EXISTS'
/** Whether a version is there and cannot be read, as far as the call that got it can say. */
export const isUnreadable = (cause: unknown): boolean => isInState(cause, 'DISABLED') || isInState(cause, 'DESTROYED')
