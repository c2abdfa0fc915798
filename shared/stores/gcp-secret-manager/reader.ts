import { optional } from '../../core/optional.js'
import type { Journal, SecretState } from '../../core/ports/store.js'
import type { Policy, SecretRef, VersionId } from '../../core/ports/words.js'
import { type StagedCopy, viewOf } from '../../core/unfenced/view.js'
import { pointedBeforeBy, pointedBy } from './aliases.js'
import { type Api, isAbsent } from './api.js'
import { enabledOf, lineOf, payloadBytes } from './line.js'
import { assertNotManaged } from './managed.js'
import { resourceOf, type SecretName } from './names.js'
import { type Place, placeName, readPlace } from './place.js'
import { noticesOf } from './schedule.js'
import { markOf, numberOf, readStaged, stagedId, stagedNumber } from './staged.js'
import type { Secret, Version } from './wire.js'

const policyPrefix = 'keyturn-'

/** What a secret says about itself, in its annotations. */
export const policyOf = ({ annotations }: Pick<Secret, 'annotations'>): Policy =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => key.startsWith(policyPrefix)))

/** What a write of the journal must match: the etag of the staging place. */
export const revOf = (place: Place | undefined): string => place?.secret.etag ?? 'no place'

/** What the platform says of a schedule: it only sends a notice. */
export const nativeOf = (secret: Secret): Pick<SecretState, 'native'> => optional('native', noticesOf(secret))

/** What is staged: all that is listed, and what the journal names, each read by its number. What is gone is absent. */
export async function stagedOf(api: Api, consumer: SecretName, journal: Journal | null): Promise<readonly StagedCopy[]> {
  const name = placeName(consumer)
  const versions = new Map((await listedIn(api, name)).map((version) => [version.number, version]))
  const named = journal?.rotation?.staged
  const number = named === undefined ? undefined : stagedNumber(named)
  const copies: StagedCopy[] = []
  for (const version of versions.values()) copies.push(...(await copyOf(api, name, version)))
  if (number !== undefined && !versions.has(number)) copies.push(...(await unlisted(api, name, number)))
  return copies.sort((a, b) => (stagedNumber(a.id) ?? 0) - (stagedNumber(b.id) ?? 0))
}

/** A place that went right after it was read has nothing. */
async function listedIn(api: Api, place: SecretName): Promise<readonly Version[]> {
  try {
    return await enabledOf(api, place)
  } catch (cause) {
    if (isAbsent(cause)) return []
    throw cause
  }
}

async function copyOf(api: Api, name: SecretName, { number, createdAt }: Version): Promise<readonly StagedCopy[]> {
  const payload = await payloadBytes(api, name, number)
  if (typeof payload === 'string') return []
  const { header, bytes } = readStaged(payload, `Version ${number} of ${resourceOf(name)}`)
  const mark = markOf(bytes)
  return [{ ...header, ...{ id: stagedId(number), createdAt, hasValue: true, mark, payload: mark } }]
}

/** What the listing does not show yet, or no longer. */
async function unlisted(api: Api, name: SecretName, number: number): Promise<readonly StagedCopy[]> {
  const [copy] = await copyOf(api, name, { number, createdAt: 0, isEnabled: true })
  return copy === undefined ? [] : [{ ...copy, createdAt: (await api.version(name, number)).createdAt }]
}

/** Everything that is known of a secret but its values. */
export async function describe(api: Api, ref: SecretRef, name: SecretName): Promise<SecretState> {
  const [secret, place] = await Promise.all([api.getOnce(name), readPlace(api, name)])
  assertNotManaged(secret, ref.shown)
  const journal = place?.journal ?? null
  const [listed, staged] = await Promise.all([
    enabledOf(api, name),
    place === undefined ? Promise.resolve([]) : stagedOf(api, name, journal),
  ])
  const pointers = { ...optional('pointed', pointedBy(secret, ref, name)), ...optional('pointedBefore', pointedBeforeBy(secret)) }
  const line = { ...lineOf(api, name, listed), ...pointers }
  const policy = policyOf(secret)
  const view = await viewOf({ line, journal, staged })
  const isLost = place === undefined && Object.keys(policy).length > 0
  return {
    ref,
    ...view,
    ...optional('current', view.current && { ...view.current, resource: `${secret.resource}/versions/${view.current.id}` }),
    drivenBy: 'engine',
    policy,
    journal,
    rev: revOf(place),
    ...nativeOf(secret),
    unfenced: true,
    ...(isLost ? { placeLost: true as const } : {}),
  }
}

/** Where a version is kept: the place of staged values, or the secret itself. undefined for an id that is of neither. */
export function whereIs(name: SecretName, version: VersionId): { readonly name: SecretName; readonly number: number } | undefined {
  const staged = stagedNumber(version)
  if (staged !== undefined) return { name: placeName(name), number: staged }
  const number = numberOf(version)
  return number === undefined ? undefined : { name, number }
}

/** The bytes of a value, without the header of a staged one; undefined where it cannot be read any more, or was never there. */
export async function valueBytes(api: Api, name: SecretName, version: VersionId): Promise<Uint8Array | undefined> {
  const where = whereIs(name, version)
  if (where === undefined) return undefined
  const payload = await payloadBytes(api, where.name, where.number)
  if (typeof payload === 'string') return undefined
  return where.name === name ? payload : readStaged(payload, `Version ${where.number} of ${resourceOf(where.name)}`).bytes
}
