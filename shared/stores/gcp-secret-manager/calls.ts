import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import type { Claim } from '../../core/ports/store.js'
import type { SecretRef, VersionId } from '../../core/ports/words.js'
import { placeLostError } from '../../core/unfenced/errors.js'
import type { Change } from '../../core/unfenced/notes.js'
import type { UnfencedCalls } from '../../core/unfenced/writes.js'
import { writeAliases } from './alias-room.js'
import { confirmed, moveAliases, pointedBy } from './aliases.js'
import { type Api, isAbsent, isUnreadable } from './api.js'
import { classify } from './errors.js'
import { enabledOf, lineAfter, lineOf } from './line.js'
import type { SecretName } from './names.js'
import { lastPlace, type Place, placeName, readPlace, writeJournal } from './place.js'
import { stagedOf, valueBytes } from './reader.js'
import { bytesOf, markOf, numberOf, stagedId, stagedNumber, stagedPayload, textOf } from './staged.js'
import type { Version } from './wire.js'

/** What one claimed method works on. */
export interface Work {
  readonly api: Api
  readonly ref: SecretRef
  readonly name: SecretName
  readonly claim: Claim
  /** What this process kept last under a claim. */
  readonly unnamed: WeakMap<Claim, VersionId>
  readonly env: Pick<Env, 'now' | 'log'>
}

/** The calls of one claimed method to the service. */
export function callsOf({ api, ref, name, claim, unnamed, env }: Work): UnfencedCalls {
  const { base, leaseUntil } = claim
  const number = base === null ? undefined : numberOf(base)
  const added: Version[] = []
  const writes = { api, env, ref, name, until: leaseUntil }
  const placeNow = async () => lastPlace(api, name) ?? readPlace(api, name)
  const noteOn = async (place: Place | undefined, change: Change): Promise<boolean> => {
    if (place === undefined) return false
    const after = change(place.journal)
    return after === undefined || (await writeJournal(api, place, after)) !== undefined
  }
  return {
    ref,
    now: () => env.now(),
    line: async () => {
      const line = number === undefined ? lineOf(api, name, await enabledOf(api, name)) : lineAfter(api, name, number, added)
      return { ...line, ...optional('pointed', pointedBy(api.last(name) ?? (await api.get(name)), ref, name)) }
    },
    journal: async () => {
      const place = await readPlace(api, name)
      return place === undefined ? 'lost' : place.journal
    },
    lastJournal: () => lastPlace(api, name)?.journal,
    stagedOf: async ({ token }) => {
      const place = await placeNow()
      return place === undefined ? [] : (await stagedOf(api, name, place.journal)).filter((one) => one.token === token)
    },
    valueOf: async (version) => {
      const bytes = stagedNumber(version) === undefined ? undefined : await valueBytes(api, name, version)
      return bytes === undefined ? undefined : textOf(bytes, `The staged value of ${ref.shown}`)
    },
    markOf: (value) => markOf(bytesOf(value)),
    note: (_what, change) =>
      freshOnConflict(
        lastPlace(api, name),
        () => readPlace(api, name),
        (place) => noteOn(place, change),
      ),
    keep: async (value, of) => {
      const version = await keepStaged(api, ref, name, stagedPayload(of, value), of.leaseUntil)
      unnamed.set(of, version)
      return version
    },
    lastKept: (of) => unnamed.get(of),
    add: async (value, { leaseUntil }) => void added.push(...(await addOnce(api, name, bytesOf(value), leaseUntil))),
    point: (to) =>
      freshOnConflict(
        api.last(name),
        () => api.get(name),
        async (secret) => {
          const elsewhere = await moveAliases((seen, aliases) => writeAliases(writes, seen, aliases), secret, to, base)
          if (elsewhere !== undefined) await confirmed(api, name, secret) // an older answer would close a rotation that nobody disturbed
          return elsewhere
        },
      ),
    drop: async (version) => dropStaged(api, name, version),
  }
}

/** Writes on what this process knows, and where somebody else wrote since, once more on what is read now. */
async function freshOnConflict<T, R>(last: T | undefined, read: () => Promise<T>, write: (seen: T) => Promise<R>): Promise<R> {
  if (last === undefined) return write(await read())
  try {
    return await write(last)
  } catch (cause) {
    if (classify(cause) !== 'conflict') throw cause
    return write(await read())
  }
}

async function keepStaged(api: Api, ref: SecretRef, name: SecretName, payload: Uint8Array, until: number): Promise<VersionId> {
  try {
    return stagedId((await api.add(placeName(name), payload, until)).number)
  } catch (cause) {
    throw isAbsent(cause) ? placeLostError(ref) : cause
  }
}

/** Adds a version. Where no answer came, the walk that follows looks by number and payload whether it is there. */
async function addOnce(api: Api, name: SecretName, bytes: Uint8Array, until: number): Promise<readonly Version[]> {
  try {
    return [await api.add(name, bytes, until)]
  } catch (cause) {
    if (classify(cause) !== 'ambiguous') throw cause
    return []
  }
}

/** Makes a staged value unreadable. It can be enabled again: it may be the only copy of something. */
export async function dropStaged(api: Api, name: SecretName, version: VersionId): Promise<void> {
  const number = stagedNumber(version)
  if (number === undefined) return
  try {
    await api.disable(placeName(name), number)
  } catch (cause) {
    if (!isAbsent(cause) && !isUnreadable(cause)) throw cause
  }
}
