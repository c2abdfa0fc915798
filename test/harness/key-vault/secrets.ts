import type { Happening } from './events.js'
import { pageOf } from './lists.js'
import {
  badParameter,
  deletedButRecoverable,
  keyOf,
  newestOf,
  purgeRefused,
  type Secrets,
  type StoredSecret,
  type StoredVersion,
  secretDisabled,
  secretNotFound,
  type Vault,
} from './model.js'
import type { OperationName } from './operations.js'
import { checkName, jsonOf, type Parameters, parametersOf } from './parameters.js'
import { bundleView, deletedView, secretView, versionView } from './views.js'

/** What operations need of the double. */
export interface Service {
  readonly pageSize: number
  /** Whether somebody has subscribed to events. */
  readonly subscribed: boolean
  /** Whether a new exp of a version that was told of is told of again: the documentation does not say. */
  readonly tellsMovedExpiry: boolean
  nowSeconds(): number
  newVersionId(): string
  publish(happening: Happening): void
  forgetExpiry(version: string): void
}
/** One request of one vault, with what its lists see: older than what is, where the test says so. */
export interface Question {
  readonly vault: Vault
  readonly url: URL
  /** The vault's URL as the caller wrote it. */
  readonly base: string
  readonly secret: string
  readonly version: string | undefined
  readonly body: string
  readonly seen: Secrets
}
/** What is answered with 200 as JSON; undefined is 204. */
export type Operation = (service: Service, question: Question) => object | undefined

const isLive = ({ deletedAt }: StoredSecret): boolean => deletedAt === undefined
function live(secrets: Secrets, name: string): StoredSecret {
  const secret = secrets.get(keyOf(name))
  if (secret === undefined || !isLive(secret)) throw secretNotFound(name)
  return secret
}
function deleted(secrets: Secrets, name: string): StoredSecret {
  const secret = secrets.get(keyOf(name))
  if (secret === undefined || isLive(secret)) throw secretNotFound(name)
  return secret
}
/** The newest that was created where no version is named, and never the newest enabled one. */
function versionIn(secret: StoredSecret, id: string | undefined): StoredVersion {
  const version = id === undefined ? newestOf(secret) : secret.versions.find((one) => one.id === id.toLowerCase())
  if (version === undefined) throw secretNotFound(`${secret.name}/${id}`)
  return version
}
const store = ({ secrets }: Vault, secret: StoredSecret): void => void secrets.set(keyOf(secret.name), secret)

/** A new version, as each PUT makes one. */
export function addVersion(service: Service, vault: Vault, name: string, given: Parameters) {
  checkName(name)
  if (given.value === undefined) throw badParameter('Property value is required.')
  const before = vault.secrets.get(keyOf(name))
  if (before !== undefined && !isLive(before)) throw deletedButRecoverable(name)
  const now = service.nowSeconds()
  const version: StoredVersion = {
    id: service.newVersionId(),
    value: given.value,
    contentType: given.contentType,
    tags: given.tags,
    enabled: given.enabled ?? true,
    created: now,
    updated: now,
    notBefore: given.notBefore,
    expires: given.expires,
    watched: service.subscribed,
  }
  const secret: StoredSecret = before ? { ...before, versions: [...before.versions, version] } : { name, versions: [version] }
  store(vault, secret)
  if (version.watched) service.publish({ type: 'SecretNewVersionCreated', vault, secret, version })
  return { secret, version }
}

/** What is not named stays as it was; what is named is replaced as a whole. */
function change(service: Service, version: StoredVersion, given: Parameters): StoredVersion {
  if (given.expires !== undefined && given.expires !== version.expires && service.tellsMovedExpiry) service.forgetExpiry(version.id)
  return {
    ...version,
    contentType: given.contentType ?? version.contentType,
    tags: given.tags ?? version.tags,
    enabled: given.enabled ?? version.enabled,
    notBefore: given.notBefore ?? version.notBefore,
    expires: given.expires ?? version.expires,
    updated: service.nowSeconds(),
  }
}

const remaking: Readonly<Record<'SetSecret' | 'UpdateSecret' | 'DeleteSecret' | 'RecoverDeletedSecret' | 'PurgeDeletedSecret', Operation>> =
  {
    SetSecret: (service, { vault, base, secret: name, body }) => {
      const { secret, version } = addVersion(service, vault, name, parametersOf(jsonOf(body)))
      return bundleView(vault, base, secret, version)
    },

    UpdateSecret: (service, { vault, base, secret: name, version: id, body }) => {
      const secret = live(vault.secrets, name)
      const old = versionIn(secret, id)
      const version = change(service, old, parametersOf(jsonOf(body)))
      const [first, ...rest] = secret.versions
      const replaced = (one: StoredVersion): StoredVersion => (one === old ? version : one)
      const changed: StoredSecret = { ...secret, versions: [replaced(first), ...rest.map(replaced)] }
      store(vault, changed)
      return versionView(vault, base, changed, version)
    },

    DeleteSecret: (service, { vault, base, secret: name }) => {
      const gone = { ...live(vault.secrets, name), deletedAt: service.nowSeconds() }
      store(vault, gone)
      return { ...deletedView(vault, base, gone), ...versionView(vault, base, gone, newestOf(gone)) }
    },

    RecoverDeletedSecret: (_, { vault, base, secret: name }) => {
      const { deletedAt: __, ...secret } = deleted(vault.secrets, name)
      store(vault, secret)
      return versionView(vault, base, secret, newestOf(secret))
    },

    PurgeDeletedSecret: (_, { vault, secret: name }) => {
      deleted(vault.secrets, name)
      if (vault.purgeProtected) throw purgeRefused(vault.name)
      vault.secrets.delete(keyOf(name))
      return undefined
    },
  }

export const secretOperations: Readonly<Record<OperationName, Operation>> = {
  ...remaking,

  /** nbf and exp are only information: outside of them it is read all the same. */
  GetSecret: (_, { vault, base, secret: name, version: id, seen }) => {
    const secret = live(seen, name)
    const version = versionIn(secret, id)
    if (!version.enabled) throw secretDisabled()
    return bundleView(vault, base, secret, version)
  },

  /** Of a name that was never there: an empty list, rather than an error. */
  GetSecretVersions: ({ pageSize }, { vault, url, base, secret: name, seen }) => {
    const secret = seen.get(keyOf(name))
    if (secret === undefined || !isLive(secret)) return pageOf([], url, pageSize)
    const items = secret.versions.map((version) => [version.id, versionView(vault, base, secret, version)] as const)
    return pageOf(items, url, pageSize)
  },

  GetSecrets: ({ pageSize }, { vault, url, base, seen }) => {
    const items = [...seen.values()].filter(isLive).map((secret) => [secret.name, secretView(vault, base, secret)] as const)
    return pageOf(items, url, pageSize)
  },

  GetDeletedSecrets: ({ pageSize }, { vault, url, base, seen }) => {
    const items = [...seen.values()]
      .filter((secret) => !isLive(secret))
      .map((secret) => [secret.name, { ...deletedView(vault, base, secret), ...secretView(vault, base, secret) }] as const)
    return pageOf(items, url, pageSize)
  },

  /** Seen in the field: also a deleted secret is not answered while it is disabled. */
  GetDeletedSecret: (_, { vault, base, secret: name, seen }) => {
    const secret = deleted(seen, name)
    if (!newestOf(secret).enabled) throw secretDisabled()
    return { ...deletedView(vault, base, secret), ...versionView(vault, base, secret, newestOf(secret)) }
  },
}
