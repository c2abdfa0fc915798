import type { Claim } from '../../core/ports/store.js'
import type { SecretRef, VersionId } from '../../core/ports/words.js'
import { placeLostError } from '../../core/unfenced/errors.js'
import type { UnfencedCalls } from '../../core/unfenced/writes.js'
import { type Api, isAbsent, isUnreadable } from './api.js'
import { classify } from './errors.js'
import { enabledOf, lineAfter, lineOf } from './line.js'
import type { SecretName } from './names.js'
import { type Place, placeName, readPlace, writeJournal } from './place.js'
import { stagedOf, valueBytes } from './reader.js'
import { bytesOf, markOf, numberOf, stagedId, stagedNumber, stagedPayload, textOf } from './staged.js'

/** The aliases that are ours. Every other one is somebody else's. */
export const ourAliases = { current: 'current', previous: 'previous' } as const

/** What one claimed method works on. */
export interface Work {
  readonly api: Api
  readonly ref: SecretRef
  readonly name: SecretName
  readonly claim: Claim
  now(): number
}

/** The calls of one claimed method to the service. */
export function callsOf({ api, ref, name, claim, now }: Work): UnfencedCalls {
  const { base } = claim
  const number = base === null ? undefined : numberOf(base)
  // As this method read or wrote it last. A write is conditional on it, so that an old one costs a conflict and nothing else.
  let place: Place | undefined
  return {
    ref,
    now,
    line: async () => (number === undefined ? lineOf(api, name, await enabledOf(api, name)) : lineAfter(api, name, number)),
    journal: async () => {
      place = await readPlace(api, name)
      return place === undefined ? 'lost' : place.journal
    },
    stagedOf: async ({ token }) => {
      place ??= await readPlace(api, name)
      return place === undefined ? [] : (await stagedOf(api, name, place.journal)).filter((one) => one.token === token)
    },
    valueOf: async (version) => {
      const bytes = stagedNumber(version) === undefined ? undefined : await valueBytes(api, name, version)
      return bytes === undefined ? undefined : textOf(bytes, `The staged value of ${ref.shown}`)
    },
    markOf: (value) => markOf(bytesOf(value)),
    note: async (_what, change) => {
      place ??= await readPlace(api, name)
      if (place === undefined) return false
      const after = change(place.journal)
      if (after === undefined) return true
      place = await writeJournal(api, place, after)
      return place !== undefined
    },
    keep: (value, of) => keepStaged(api, ref, name, stagedPayload(of, value)),
    add: async (value, { leaseUntil }) => addOnce(api, name, bytesOf(value), leaseUntil),
    point: (to) => moveAliases(api, name, to, base),
    drop: async (version) => dropStaged(api, name, version),
  }
}

async function keepStaged(api: Api, ref: SecretRef, name: SecretName, payload: Uint8Array): Promise<VersionId> {
  try {
    return stagedId((await api.add(placeName(name), payload)).number)
  } catch (cause) {
    throw isAbsent(cause) ? placeLostError(ref) : cause
  }
}

/** Adds a version. Where no answer came, the walk that follows looks by number and payload whether it is there. */
async function addOnce(api: Api, name: SecretName, bytes: Uint8Array, until: number): Promise<void> {
  try {
    await api.add(name, bytes, until)
  } catch (cause) {
    if (classify(cause) !== 'ambiguous') throw cause
  }
}

/** Moves both aliases in one write, and nobody else's. No write where they are right already. */
async function moveAliases(api: Api, name: SecretName, to: number, base: VersionId | null): Promise<void> {
  const { aliases, etag } = await api.get(name)
  const current = String(to)
  const { [ourAliases.previous]: before, ...others } = aliases
  const previous = base === null ? {} : { [ourAliases.previous]: String(base) }
  if (aliases[ourAliases.current] === current && before === (base ?? undefined)) return
  await api.update(name, etag, { aliases: { ...others, [ourAliases.current]: current, ...previous } })
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
