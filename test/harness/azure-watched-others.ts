import type { VersionId } from '../../shared/core/ports/words.js'
import type { Disturbance } from '../../shared/stores/memory/others.js'
import type { WatchedAzure } from './azure-watched.js'
import type { Call, Fault, KeyVaultDouble } from './key-vault.js'
import type { Readers } from './stores.js'
import type { World } from './world.js'

/** The body of an add for consumers that a process sent, or was about to. */
export interface Sent {
  readonly value: string
  readonly tags?: Readonly<Record<string, string>>
}
/** What listings of one world still show: so many writes of each secret. */
export type Lag = ReadonlyMap<string, number>

/** What a call sees, where the listings of its world lag. */
export function lagging(lag: Lag | undefined, { name, secret }: Call, double: KeyVaultDouble): Fault | undefined {
  if (lag === undefined || name !== 'GetSecretVersions' || secret === undefined) return undefined
  return { staleWrites: double.writesOf(secret) - (lag.get(secret) ?? 0) }
}

const placeOf = (secret: string): string => `${secret}-pending`
const journalOf = ({ services }: WatchedAzure, { ref }: World) =>
  services.azurite.client().getContainerClient('keyturn').getBlockBlobClient(ref.key)

/** Somebody deletes the blob, whoever has its lease. */
export async function wipeJournal(store: WatchedAzure, world: World): Promise<void> {
  const blob = journalOf(store, world)
  if (!(await blob.exists())) return
  await breakLease(store, world)
  await blob.delete()
}
async function breakLease(store: WatchedAzure, world: World): Promise<void> {
  const blob = journalOf(store, world)
  await store.services.azurite.setClock(world.env.time)
  if (!(await blob.exists()) || (await blob.getProperties()).leaseState !== 'leased') return
  await blob.getBlobLeaseClient().breakLease(0)
}

/** What happens to a secret without anybody's wish. */
export async function disturbAzure(store: WatchedAzure, world: World, event: Disturbance): Promise<void> {
  const { double, sent } = store
  const { name } = world.ref
  const again = event === 'late add' ? sent.at(-1) : event === 'older add' ? sent.at(-2) : undefined
  if (again !== undefined) double.writeForeign(name, again.value, again.tags === undefined ? {} : { tags: again.tags })
  if (event === 'staged twice') stageTwice(double, placeOf(name))
  if (event === 'place lost' || event === 'all lost') deletePlace(double, placeOf(name))
  if (event === 'all lost') await wipeJournal(store, world)
  if (event === 'lease broken') await breakLease(store, world)
  if (event === 'overlap') overlapOnce(store)
  if (event === 'lag') store.lag = new Map([name, placeOf(name)].map((secret) => [secret, double.writesOf(secret)]))
}

function stageTwice(double: KeyVaultDouble, place: string): void {
  const staged = double.versions(place).at(-1)
  if (staged?.enabled && staged.tags !== undefined) double.writeForeign(place, staged.value, { tags: staged.tags })
}

/** It can be had back. */
function deletePlace(double: KeyVaultDouble, place: string): void {
  const { secrets } = double.vault()
  const there = secrets.get(place)
  if (there !== undefined && there.deletedAt === undefined) secrets.set(place, { ...there, deletedAt: double.nowSeconds() })
}

/** The next write of a value meets one of somebody else. */
function overlapOnce(store: WatchedAzure): void {
  const { double } = store
  const { fault } = double
  double.fault = (call, n) => {
    if (call.name !== 'SetSecret') return fault(call, n)
    double.fault = fault
    return 'conflict'
  }
}

/** Who reads the secret without a version, and who reads the version that was current at the look before. */
export function readersOf({ double }: WatchedAzure, { ref }: Pick<World, 'ref'>): Readers {
  let told: VersionId | undefined
  const read = (version: VersionId | undefined): string | undefined => {
    const all = double.versions(ref.name)
    const found = version === undefined ? all.at(-1) : all.find(({ id }) => id === version)
    return found?.enabled ? found.value : undefined
  }
  return (current) => {
    const readings = [{ reader: 'the newest', text: read(undefined) }]
    if (told !== undefined) readings.push({ reader: told, text: read(told) })
    told = current
    return readings
  }
}
