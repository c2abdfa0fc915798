import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Journal } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import type { StagedCopy } from '../../core/unfenced/view.js'
import { isAbsent, isDisabled } from './errors.js'
import { digestOf, markOf, readableOf } from './line.js'
import { azWhere, isVersion, keyOf, placeSuffix, type SecretName, shownOf } from './names.js'
import { headerOf, isPlace, placeOf, placeTags } from './tags.js'
import type { Vaults } from './vault.js'
import type { Valued, Version } from './version.js'

/** The staging place of a secret is a secret of its own, in a vault of its own where one is set. */
export const placeName = ({ host, secret }: SecretName, stagingHost: string | undefined): SecretName => ({
  host: stagingHost ?? host,
  secret: `${secret}${placeSuffix}`,
})

/** The id of a staged version says that it is staged. */
const stagedPrefix = 'pending-'
export const stagedId = (version: VersionId): VersionId => `${stagedPrefix}${version}` as VersionId
/** What the service calls a staged version; undefined for an id that is not of one. */
export const stagedVersion = (id: VersionId): VersionId | undefined => {
  const version = id.slice(stagedPrefix.length)
  return id.startsWith(stagedPrefix) && isVersion(version) ? (version as VersionId) : undefined
}

/** A place, and whose it is. */
export interface Place {
  readonly name: SecretName
  /** The key of its secret. */
  readonly of: string
}

/**
 * What is staged: what is listed, and what the journal names, each read by its id. What is gone is absent. Where somebody took the tags of the named
 * one away, the journal says whose it is; other versions without tags are not ours, and stay as they are. exists where the place is another secret's.
 */
export async function stagedOf(
  vaults: Vaults,
  place: Place,
  listed: readonly Version[],
  journal: Journal | null,
): Promise<readonly StagedCopy[]> {
  for (const version of listed) assertNotOfAnother(place, version)
  const { staged } = journal?.rotation ?? {}
  const named = staged === undefined ? undefined : stagedVersion(staged)
  const ids = new Set(listed.flatMap(({ id, isEnabled, tags }) => (isEnabled && headerOf(tags) !== undefined ? [id] : [])))
  if (named !== undefined) ids.add(named)
  const found = await Promise.all([...ids].map((id) => readableOf(vaults, place.name, id)))
  const copies = found.flatMap((version) => (version === undefined ? [] : copyOf(version, version.id === named ? journal : null)))
  return copies.sort((a, b) => (a.id < b.id ? -1 : 1))
}
function copyOf({ id, madeAt, tags, value }: Valued, naming: Journal | null): readonly StagedCopy[] {
  const { token, base, kind } = naming?.rotation ?? {}
  const header = headerOf(tags) ?? (token === undefined ? undefined : { token, base: base ?? null, ...optional('kind', kind) })
  if (header === undefined) return []
  return [{ ...header, id: stagedId(id), createdAt: madeAt, hasValue: true, mark: markOf(header.token, value), payload: digestOf(value) }]
}

/** Two secrets of one name in two vaults would have one place in a third. */
function assertNotOfAnother({ name, of }: Place, { tags }: Version): void {
  const other = placeOf(tags)
  if (other !== undefined && other !== of) throw takenError(name, `is the staging place of ${other}`)
}
/** Before a place is used for the first time: what is there must be one. */
function assertOurs(place: Place, listed: readonly Version[]): void {
  for (const version of listed) assertNotOfAnother(place, version)
  if (listed.length === 0 || listed.some(({ tags }) => isPlace(tags) && placeOf(tags) === place.of)) return
  throw takenError(place.name, 'is not marked as a staging place')
}
const takenError = (name: SecretName, why: string): RotationError =>
  new RotationError('exists', `${shownOf(name)} is there, and ${why}.`, {
    field: 'ref',
    next: `Use another name for the managed secret, or another staging vault. Look first what is there: az keyvault secret list-versions ${azWhere(name)}.`,
  })

/** Whether the secret is there at all: a listing may be behind. A deleted one that is disabled as well is answered like one that is there. */
export async function isThere(vaults: Vaults, name: SecretName): Promise<boolean> {
  try {
    await vaults.newest(name)
    return true
  } catch (cause) {
    if (isAbsent(cause)) return false
    if (isDisabled(cause)) return !(await wasDeleted(vaults, name))
    throw cause
  }
}
/** Whether a secret was deleted and can be had back. */
export async function wasDeleted(vaults: Vaults, name: SecretName): Promise<boolean> {
  try {
    await vaults.deleted(name)
    return true
  } catch (cause) {
    if (isAbsent(cause)) return false
    if (isDisabled(cause)) return true
    throw cause
  }
}

const recoverMsMax = 120_000
const recoverPauseMs = 2000

/** Makes the place where it is not there, with a version that nobody can read; a deleted one is had back, with what was in it. exists. */
export async function ensurePlace(vaults: Vaults, place: Place, env: { now(): number; sleep(ms: number): Promise<void> }): Promise<void> {
  const { name, of } = place
  const listed = await vaults.versions(name)
  assertOurs(place, listed)
  if (listed.length > 0 || (await isThere(vaults, name))) return
  if (await wasDeleted(vaults, name)) {
    await vaults.recover(name)
    const until = env.now() + recoverMsMax
    while (!(await isThere(vaults, name))) {
      if (env.now() >= until) throw notBackError(name)
      await env.sleep(recoverPauseMs)
    }
    return
  }
  await vaults.set(name, new SecretText('a staging place'), { tags: placeTags(of), enabled: false })
}
const notBackError = (name: SecretName): RotationError =>
  new RotationError('unavailable', `${shownOf(name)} was deleted, and asked back, and is not there yet.`, {
    next: 'Run the same command again in some minutes.',
  })

/** Makes a staged value unreadable. It can be enabled again: it may be the only copy of something. No-op where it is gone. */
export async function dropStaged(vaults: Vaults, place: SecretName, version: VersionId): Promise<void> {
  const id = stagedVersion(version)
  if (id === undefined) return
  try {
    await vaults.update(place, id, { enabled: false })
  } catch (cause) {
    if (!isAbsent(cause)) throw cause
  }
}

/** Of a place: its key. */
export const placeFor = (name: SecretName, stagingHost: string | undefined): Place => ({
  name: placeName(name, stagingHost),
  of: keyOf(name),
})
