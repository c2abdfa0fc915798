import { type Fields, filterOf, pageOf } from './lists.js'
import { alreadyThere, badArgument, etagDiffers, maxima, noSecret, noTopic, type StoredSecret, topicDenied } from './model.js'
import type { Names } from './names.js'
import type { RequestOf, ResponseOf, RpcName } from './rpcs.js'
import { msOf, type WireSecret, wireSecret } from './views.js'

export type EventType =
  | `SECRET_${'CREATE' | 'UPDATE' | 'DELETE' | 'ROTATE'}`
  | `SECRET_VERSION_${'ADD' | 'ENABLE' | 'DISABLE' | 'DESTROY' | 'DESTROY_SCHEDULED'}`
  | 'TOPIC_CONFIGURED'

/** What operations need of the double. */
export interface Service {
  readonly names: Names
  /** By name, as they are. */
  readonly secrets: Map<string, StoredSecret>
  readonly pageSize: number
  readonly showsPeriod: boolean
  /** Topics that the service cannot publish to, with why. */
  readonly brokenTopics: ReadonlyMap<string, 'missing' | 'denied'>
  now(): number
  newEtag(): string
  newOrder(): number
  publish(event: EventType, secret: StoredSecret, versionId?: number): void
  /** Whether the caller may do it: for TestIamPermissions. */
  may(permission: string, resource: string): boolean
}
export type Secrets = ReadonlyMap<string, StoredSecret>
/** `seen` is what a read sees: older than what is, where the test says so. */
export type Operations<Names extends RpcName> = {
  readonly [Name in Names]: (service: Service, request: RequestOf<Name>, seen: Secrets) => ResponseOf<Name>
}

export function found(secrets: Secrets, name: string): StoredSecret {
  const secret = secrets.get(name)
  if (secret === undefined) throw noSecret(name)
  return secret
}
export function checkEtag(name: string, has: string, wanted: string | null | undefined): void {
  if (wanted && wanted !== has) throw etagDiffers(name)
}

type Apply = (into: StoredSecret, from: WireSecret, now: number) => void
/** What a mask may name. Each replaces what was there as a whole, also by nothing. */
const masks: Readonly<Record<string, Apply>> = {
  labels: (into, { labels }) => {
    into.labels = new Map(Object.entries(labels ?? {}))
  },
  annotations: (into, { annotations }) => {
    into.annotations = new Map(Object.entries(annotations ?? {}))
  },
  version_aliases: (into, { versionAliases }) => {
    into.aliases = new Map(Object.entries(versionAliases ?? {}).map(([alias, id]) => [alias, Number(String(id))]))
  },
  topics: (into, { topics }) => {
    into.topics = (topics ?? []).map(({ name }) => name ?? '')
  },
  'rotation.next_rotation_time': (into, { rotation }) => {
    const { nextAt: _, ...rest } = into.rotation ?? {}
    into.rotation = rotation?.nextRotationTime ? { ...rest, nextAt: msOf(rotation.nextRotationTime) } : rest
  },
  'rotation.rotation_period': (into, { rotation }) => {
    const { periodMs: _, ...rest } = into.rotation ?? {}
    into.rotation = rotation?.rotationPeriod ? { ...rest, periodMs: msOf(rotation.rotationPeriod) } : rest
  },
  rotation: (into, from, now) => {
    delete into.rotation
    masks['rotation.next_rotation_time']?.(into, from, now)
    masks['rotation.rotation_period']?.(into, from, now)
    if (into.rotation !== undefined && Object.keys(into.rotation).length === 0) delete into.rotation
  },
  expire_time: (into, { expireTime }) => {
    delete into.expireAt
    if (expireTime) into.expireAt = msOf(expireTime)
  },
  ttl: (into, { ttl }, now) => {
    delete into.expireAt
    if (ttl) into.expireAt = now + msOf(ttl)
  },
  version_destroy_ttl: (into, { versionDestroyTtl }) => {
    delete into.destroyTtlMs
    if (versionDestroyTtl && msOf(versionDestroyTtl) > 0) into.destroyTtlMs = msOf(versionDestroyTtl)
  },
}

const labelKey = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u
const labelValue = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u
const annotationKey = /^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?$/
const aliasForm = /^[a-zA-Z][a-zA-Z0-9_-]{0,62}$/
const topicForm = /^projects\/[^/]+\/topics\/[^/]+$/

/** The rules that the service documents of a secret's own fields. */
function check(secret: StoredSecret, changed: StoredSecret | undefined, now: number): void {
  const { labels, annotations, aliases, topics, rotation } = secret
  if (labels.size > maxima.labels) throw badArgument(`No more than ${maxima.labels} labels can be assigned.`)
  for (const [key, value] of labels) if (!labelKey.test(key) || !labelValue.test(value)) throw badArgument(`Invalid label [${key}].`)
  for (const key of annotations.keys()) if (!annotationKey.test(key)) throw badArgument(`Invalid annotation key [${key}].`)
  const bytes = [...annotations].reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  if (bytes >= maxima.annotationBytes) throw badArgument(`The total size of annotations must be less than ${maxima.annotationBytes} bytes.`)
  if (aliases.size > maxima.aliases) throw badArgument(`No more than ${maxima.aliases} aliases can be assigned.`)
  for (const [alias, id] of aliases) {
    if (!aliasForm.test(alias) || alias === 'latest' || alias === 'NEW') throw badArgument(`Invalid version alias [${alias}].`)
    if (!secret.versions.some((version) => version.id === id))
      throw badArgument(`Alias [${alias}] names version ${id}, which is not there.`)
  }
  if (topics.length > maxima.topics) throw badArgument(`No more than ${maxima.topics} topics can be assigned.`)
  for (const topic of topics) if (!topicForm.test(topic)) throw badArgument(`Invalid topic [${topic}].`)
  checkRotation(rotation, changed?.rotation, topics, now)
}
function checkRotation(rotation: StoredSecret['rotation'], before: StoredSecret['rotation'], topics: readonly string[], now: number): void {
  if (rotation === undefined || (rotation.nextAt === undefined && rotation.periodMs === undefined)) return
  const { nextAt, periodMs } = rotation
  if (topics.length === 0) throw badArgument('A rotation needs at least one topic.')
  if (nextAt === undefined) throw badArgument('rotation_period needs a next_rotation_time.')
  if (nextAt !== before?.nextAt && nextAt < now + 300_000) throw badArgument('next_rotation_time must be at least 300 s ahead.')
  if (periodMs !== undefined && periodMs < 3_600_000) throw badArgument('rotation_period must be at least 3600 s.')
  if (periodMs !== undefined && periodMs > maxima.rotationMs) throw badArgument('rotation_period must be at most 3153600000 s.')
  if (nextAt > now + maxima.rotationMs) throw badArgument('next_rotation_time must be at most 3153600000 s ahead.')
}
/** Who sets topics or a schedule learns at once that the service cannot publish there. */
function checkTopics({ brokenTopics }: Service, { topics, rotation }: StoredSecret, paths: readonly string[]): void {
  const asks = paths.includes('topics') || (rotation !== undefined && paths.some((path) => path.startsWith('rotation')))
  const broken = asks ? topics.find((topic) => brokenTopics.has(topic)) : undefined
  if (broken !== undefined) throw brokenTopics.get(broken) === 'missing' ? noTopic(broken) : topicDenied(broken)
}

/** TOPIC_CONFIGURED goes to each topic that is new. */
function configureTopics(service: Service, secret: StoredSecret, before: readonly string[]): void {
  const fresh = secret.topics.filter((topic) => !before.includes(topic))
  if (fresh.length > 0) service.publish('TOPIC_CONFIGURED', { ...secret, topics: fresh })
}

/** Labels can be filtered by; annotations cannot. */
const secretFields =
  (secret: StoredSecret): Fields =>
  (field) =>
    field === 'name'
      ? secret.name
      : field === 'create_time'
        ? new Date(secret.createdAt).toISOString()
        : secret.labels.get(field.replace(/^labels\./, ''))

export const secretOperations: Operations<'CreateSecret' | 'GetSecret' | 'UpdateSecret' | 'DeleteSecret' | 'ListSecrets'> = {
  CreateSecret: (service, { parent, secretId, secret: given }) => {
    const place = service.names.parent(parent ?? '')
    if (!given) throw badArgument('Secret must be provided.') // seen in the field
    if (!/^[a-zA-Z0-9_-]{1,255}$/.test(secretId ?? ''))
      throw badArgument(`The provided Secret ID [${secretId}] does not match the expected format.`)
    const name = `${place.parent}/secrets/${secretId}`
    const { replication } = given
    if ((place.location === undefined) !== Boolean(replication?.automatic || replication?.userManaged))
      throw badArgument('A global secret needs a replication, and a regional one has none.')
    if (service.secrets.has(name)) throw alreadyThere(name)
    const now = service.now()
    const made: StoredSecret = {
      name,
      order: service.newOrder(),
      createdAt: now,
      replication: replication ?? undefined,
      labels: new Map(),
      annotations: new Map(),
      aliases: new Map(),
      topics: [],
      etag: service.newEtag(),
      versions: [],
      policy: {},
      ...(given.secretType ? { secretType: given.secretType } : {}),
    }
    for (const path of ['labels', 'annotations', 'version_aliases', 'topics', 'rotation', 'version_destroy_ttl'])
      masks[path]?.(made, given, now)
    masks[given.ttl ? 'ttl' : 'expire_time']?.(made, given, now)
    check(made, undefined, now)
    checkTopics(service, made, ['topics', 'rotation'])
    service.secrets.set(name, made)
    configureTopics(service, made, [])
    service.publish('SECRET_CREATE', made)
    return wireSecret(made, service.showsPeriod)
  },

  GetSecret: (service, { name }, seen) => wireSecret(found(seen, service.names.secret(name ?? '').secret), service.showsPeriod),

  UpdateSecret: (service, { secret: given, updateMask }) => {
    if (!given) throw badArgument('Secret must be provided.')
    const secret = found(service.secrets, service.names.secret(given.name ?? '').secret)
    checkEtag(secret.name, secret.etag, given.etag)
    const paths = updateMask?.paths ?? []
    if (paths.length === 0) throw badArgument('Field [update_mask] is required.')
    const now = service.now()
    const changed = structuredClone(secret)
    for (const path of paths) {
      const apply = masks[path]
      if (apply === undefined) throw badArgument(`Field [${path}] cannot be updated.`)
      apply(changed, given, now)
    }
    check(changed, secret, now)
    checkTopics(service, changed, paths)
    changed.etag = service.newEtag()
    service.secrets.set(secret.name, changed)
    configureTopics(service, changed, secret.topics)
    service.publish('SECRET_UPDATE', changed)
    return wireSecret(changed, service.showsPeriod)
  },

  DeleteSecret: (service, { name, etag }) => {
    const secret = found(service.secrets, service.names.secret(name ?? '').secret)
    checkEtag(secret.name, secret.etag, etag)
    service.secrets.delete(secret.name)
    service.publish('SECRET_DELETE', secret)
    return {}
  },

  ListSecrets: (service, request, seen) => {
    const { parent } = service.names.parent(request.parent ?? '')
    const test = filterOf(request.filter ?? '', (field) => /^(?:name|create_time|labels\..+)$/.test(field))
    const prefix = `${parent}/secrets/`
    const here = [...seen.values()].filter(({ name }) => name.startsWith(prefix))
    const matching = (request.filter ? here.filter((secret) => test(secretFields(secret))) : [...here]).sort((a, b) => b.order - a.order)
    const { page, nextPageToken } = pageOf(matching, ({ order }) => order, request, service.pageSize)
    return {
      secrets: page.map((secret) => wireSecret(secret, service.showsPeriod)),
      nextPageToken,
      totalSize: request.filter ? 0 : here.length,
    }
  },
}
