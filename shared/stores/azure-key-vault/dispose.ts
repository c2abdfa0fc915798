import type { SecretState } from '../../core/ports/store.js'
import type { SecretRef, VersionId } from '../../core/ports/words.js'
import { overtakenError } from '../../core/unfenced/errors.js'
import { runOf } from '../../core/unfenced/line.js'
import { intentOf, notedIds } from '../../core/unfenced/unordered.js'
import { isAbsent } from './errors.js'
import { lineOf, newestOf } from './line.js'
import { nameOf } from './names.js'
import { dropStaged, type Place, stagedOf } from './place.js'
import type { Vaults } from './vault.js'

/** What is done away with, and what was seen of its secret. */
export interface Disposal {
  readonly vaults: Vaults
  readonly ref: SecretRef
  readonly place: Place
  readonly version: VersionId
  readonly state: SecretState
}

/**
 * Disables a version, with its copies and what is still staged of it: the service never deletes a single one. conflict for what consumers read, and
 * for what is pending.
 */
export async function dispose({ vaults, ref, place, version, state }: Disposal): Promise<void> {
  const { current, pending, journal } = state
  const name = nameOf(ref.key)
  const [listed, newest, places] = await Promise.all([vaults.versions(name), newestOf(vaults, name), vaults.versions(place.name)])
  const line = await lineOf(vaults, name, { listed, newest, ids: [version, ...notedIds(journal)], intent: intentOf(journal) })
  const number = line.numberOf(version)
  const last = current === undefined ? Number.POSITIVE_INFINITY : (line.numberOf(current.id) ?? Number.POSITIVE_INFINITY)
  if (pending?.id === version || (number !== undefined && number >= last)) throw overtakenError(ref)
  if (number === undefined) return
  const found = await line.look(number)
  const staged = typeof found === 'string' ? [] : await stagedOf(vaults, place, places, journal)
  // A copy that a crash left would be taken for a new value once its version is gone.
  for (const { id, mark } of staged)
    if (typeof found !== 'string' && mark === found.mark && id !== pending?.id) await dropStaged(vaults, place.name, id)
  const run = typeof found === 'string' ? [] : (await runOf(line, number)).filter((one) => one < last)
  for (const one of run) await disable(vaults, ref, (await line.infoOf(one)).id)
}

async function disable(vaults: Vaults, ref: SecretRef, version: VersionId): Promise<void> {
  try {
    await vaults.update(nameOf(ref.key), version, { enabled: false })
  } catch (cause) {
    if (!isAbsent(cause)) throw cause
  }
}
