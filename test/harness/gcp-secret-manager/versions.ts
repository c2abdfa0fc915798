import { filterOf, pageOf } from './lists.js'
import {
  badArgument,
  crc32c,
  maxima,
  noVersion,
  noVersions,
  type State,
  type StoredSecret,
  type StoredVersion,
  wrongState,
} from './model.js'
import { checkEtag, found, type Operations, type Secrets, type Service } from './secrets.js'
import { versionName, type WireVersion, wireVersion } from './views.js'

interface Resolved {
  readonly secret: StoredSecret
  readonly version: StoredVersion
}
/** `latest` is the newest version, whatever its state. An alias counts as it was when the secret was seen. */
function resolve(service: Service, name: string, seen: Secrets): Resolved {
  const place = service.names.version(name)
  const secret = seen.get(place.secret)
  if (secret === undefined || secret.versions.length === 0) throw noVersions(place.secret)
  const id = numberIn(place.version) ?? (place.version === 'latest' ? secret.versions.at(-1)?.id : secret.aliases.get(place.version))
  const version = secret.versions.find((one) => one.id === id)
  if (version === undefined) throw noVersion(`${place.secret}/versions/${place.version}`)
  return { secret, version }
}
const numberIn = (version: string): number | undefined => (/^\d+$/.test(version) ? Number(version) : undefined)

/** What was added is read by its number at once, however old the rest of what a read sees: nothing else is promised that. */
function added(service: Service, name: string, seen: Secrets): Resolved | undefined {
  const place = service.names.version(name)
  const isThere = ({ id }: StoredVersion): boolean => id === numberIn(place.version)
  const secret = service.secrets.get(place.secret)
  const version = secret?.versions.find(isThere)
  const isSeen = seen.get(place.secret)?.versions.some(isThere)
  return secret === undefined || version === undefined || isSeen ? undefined : { secret, version }
}

/** The version that a change of state names: by its number, for an alias is only for reading. */
function toChange(service: Service, name: string, etag: string | null | undefined) {
  const place = service.names.version(name)
  const number = numberIn(place.version)
  if (number === undefined) throw badArgument(`[${name}] does not name a version by its number.`)
  const secret = service.secrets.get(place.secret)
  const version = secret?.versions.find(({ id }) => id === number)
  if (secret === undefined || version === undefined) throw noVersion(`${place.secret}/versions/${place.version}`)
  checkEtag(versionName(secret, version), version.etag, etag)
  if (version.state === 'DESTROYED') throw wrongState(versionName(secret, version), version.state)
  return { secret, version }
}
/** A change that changes nothing gives a new etag all the same. */
function move(service: Service, request: { name?: string | null; etag?: string | null }, state: Exclude<State, 'DESTROYED'>): WireVersion {
  const { secret, version } = toChange(service, request.name ?? '', request.etag)
  version.state = state
  version.etag = service.newEtag()
  if (state === 'ENABLED') delete version.destroyAt
  service.publish(state === 'ENABLED' ? 'SECRET_VERSION_ENABLE' : 'SECRET_VERSION_DISABLE', secret, version.id)
  return wireVersion(secret, version)
}

/** Its data is gone for ever. */
export function destroy(service: Service, secret: StoredSecret, version: StoredVersion, at: number): void {
  version.state = 'DESTROYED'
  version.data = undefined
  version.destroyedAt = at
  version.etag = service.newEtag()
  delete version.destroyAt
  service.publish('SECRET_VERSION_DESTROY', secret, version.id)
}

type VersionRpc =
  | 'AddSecretVersion'
  | 'AccessSecretVersion'
  | 'GetSecretVersion'
  | 'ListSecretVersions'
  | 'EnableSecretVersion'
  | 'DisableSecretVersion'
  | 'DestroySecretVersion'

export const versionOperations: Operations<VersionRpc> = {
  AddSecretVersion: (service, { parent, payload }) => {
    const secret = found(service.secrets, service.names.secret(parent ?? '').secret)
    if (!payload?.data?.length) throw badArgument('Field [payload] is required.') // seen in the field
    const data = Buffer.from(payload.data as Uint8Array)
    if (data.length > maxima.payloadBytes) throw badArgument(`The payload is larger than ${maxima.payloadBytes} bytes.`)
    const crc = crc32c(data)
    const given = payload.dataCrc32c
    const clientChecksum = given !== null && given !== undefined
    if (clientChecksum && String(given) !== String(crc)) throw badArgument('The payload does not match its data_crc32c.')
    const version: StoredVersion = {
      id: (secret.versions.at(-1)?.id ?? 0) + 1,
      createdAt: service.now(),
      crc32c: crc,
      clientChecksum,
      data,
      state: 'ENABLED',
      etag: service.newEtag(),
    }
    secret.versions.push(version)
    service.publish('SECRET_VERSION_ADD', secret, version.id)
    return wireVersion(secret, version)
  },

  AccessSecretVersion: (service, { name }, seen) => {
    const { secret, version } = added(service, name ?? '', seen) ?? resolve(service, name ?? '', seen)
    const whole = versionName(secret, version)
    if (version.state !== 'ENABLED' || version.data === undefined) throw wrongState(whole, version.state)
    return { name: whole, payload: { data: version.data, dataCrc32c: version.crc32c } }
  },

  GetSecretVersion: (service, { name }, seen) => {
    const { secret, version } = resolve(service, name ?? '', seen)
    return wireVersion(secret, version)
  },

  ListSecretVersions: (service, request, seen) => {
    const secret = found(seen, service.names.secret(request.parent ?? '').secret)
    const test = filterOf(request.filter ?? '', (field) => ['name', 'state', 'create_time', 'destroy_time'].includes(field))
    const matching = secret.versions.filter((version) => test((field) => fieldOf(secret, version, field))).reverse()
    const { page, nextPageToken } = pageOf(matching, ({ id }) => id, request, service.pageSize)
    const totalSize = request.filter ? 0 : secret.versions.length
    return { versions: page.map((version) => wireVersion(secret, version)), nextPageToken, totalSize }
  },

  EnableSecretVersion: (service, request) => move(service, request, 'ENABLED'),
  DisableSecretVersion: (service, request) => move(service, request, 'DISABLED'),
  DestroySecretVersion: (service, { name, etag }) => {
    const { secret, version } = toChange(service, name ?? '', etag)
    if (secret.destroyTtlMs === undefined) {
      destroy(service, secret, version, service.now())
      return wireVersion(secret, version)
    }
    version.state = 'DISABLED'
    version.destroyAt = service.now() + secret.destroyTtlMs
    version.etag = service.newEtag()
    service.publish('SECRET_VERSION_DESTROY_SCHEDULED', secret, version.id)
    return wireVersion(secret, version)
  },
}

function fieldOf(secret: StoredSecret, version: StoredVersion, field: string): string | undefined {
  const { state, createdAt, destroyedAt } = version
  if (field === 'state') return state
  if (field === 'name') return versionName(secret, version)
  const at = field === 'create_time' ? createdAt : destroyedAt
  return at === undefined ? undefined : new Date(at).toISOString()
}
