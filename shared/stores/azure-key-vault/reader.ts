import { optional } from '../../core/optional.js'
import type { Journal, SecretState, VersionInfo } from '../../core/ports/store.js'
import type { Policy, SecretRef } from '../../core/ports/words.js'
import type { Line } from '../../core/unfenced/line.js'
import { intentOf, notedIds } from '../../core/unfenced/unordered.js'
import { viewOf } from '../../core/unfenced/view.js'
import type { Documents, Held } from './documents.js'
import { infoOf, lineOf, newestOf } from './line.js'
import { nameOf, resourceOf, type SecretName } from './names.js'
import { isThere, type Place, stagedOf } from './place.js'
import { noticesOf } from './schedule.js'
import { taggedPolicy } from './tags.js'
import type { Vaults } from './vault.js'
import type { Valued, Version } from './version.js'

/** What a secret says of itself: the master copy beside the journal, and where that is lost, the copy in the tags of the newest version. */
export function policyOf(held: Held | undefined, newest: Pick<Version, 'tags'> | undefined): Policy {
  const policy = held?.document.policy ?? {}
  return Object.keys(policy).length > 0 || newest === undefined ? policy : taggedPolicy(newest.tags)
}

/** What a write of the journal must match: the etag of the blob. */
export const revOf = (held: Held | undefined): string => held?.etag ?? 'no journal'

/** What the store reads with. */
export interface Reader {
  readonly vaults: Vaults
  readonly documents: Documents
}

/** Everything that is known of a secret but its values. */
export async function describe({ vaults, documents }: Reader, ref: SecretRef, place: Place): Promise<SecretState> {
  const name = nameOf(ref.key)
  const [newest, listed, held, places] = await Promise.all([
    newestOf(vaults, name),
    vaults.versions(name),
    documents.read(name),
    vaults.versions(place.name),
  ])
  const journal = held?.document.journal ?? null
  const policy = policyOf(held, newest ?? listed.find(({ isEnabled }) => isEnabled))
  const isManaged = Object.keys(policy).length > 0
  const [staged, line] = await Promise.all([
    stagedOf(vaults, place, places, journal),
    lineOf(vaults, name, { listed, newest, ids: notedIds(journal), intent: intentOf(journal) }),
  ])
  const view = await viewOf({ line, journal, staged })
  const current = newest === undefined ? disabledCurrent(listed, line, view.current) : view.current
  const isLost = isManaged && places.length === 0 && !(await isThere(vaults, place.name))
  return {
    ref,
    ...view,
    ...optional('current', current && { ...current, resource: resourceOf(name, current.id) }),
    ...optional('publishedAt', view.current === undefined ? current?.createdAt : undefined),
    drivenBy: 'engine',
    policy,
    journal,
    rev: revOf(held),
    ...optional('native', nativeOf(newest, view.publishedAt, policy, held)),
    unfenced: true,
    ...(isLost ? { placeLost: true as const } : {}),
  }
}

const nativeOf = (newest: Valued | undefined, publishedAt: number, policy: Policy, held: Held | undefined) =>
  noticesOf(newest, publishedAt, policy, held?.document.notice)

/** The newest version is what consumers read, and it is disabled: they get nothing, whatever older version there is. */
function disabledCurrent(listed: readonly Version[], line: Line, readable: VersionInfo | undefined): VersionInfo | undefined {
  const numberOf = ({ id }: Version): number => line.numberOf(id) ?? 0
  // Times are whole seconds: of two versions of one second the disabled one is the newer, because the newest is disabled.
  const since = readable === undefined ? 0 : Math.floor(readable.createdAt / 1000) * 1000
  const disabled = listed.filter(({ isEnabled, madeAt }) => !isEnabled && madeAt >= since)
  const [last] = disabled.sort((a, b) => b.madeAt - a.madeAt || numberOf(b) - numberOf(a))
  return last === undefined ? undefined : infoOf(last)
}

/** The versions of a secret, newest first. */
export async function historyOf(vaults: Vaults, name: SecretName, journal: Journal | null): Promise<readonly VersionInfo[]> {
  const [listed, newest] = await Promise.all([vaults.versions(name), newestOf(vaults, name)])
  const line = await lineOf(vaults, name, { listed, newest, ids: notedIds(journal), intent: intentOf(journal) })
  const infos = new Map([...listed, ...(newest === undefined ? [] : [newest])].map((version) => [version.id, infoOf(version)]))
  return [...infos.values()].sort((a, b) => (line.numberOf(b.id) ?? 0) - (line.numberOf(a.id) ?? 0))
}
