import { createHash } from 'node:crypto'
import { newVersionId } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Claim, SecretState, Staged, VersionInfo } from '../../core/ports/store.js'
import type { Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { placeLostError } from '../../core/unfenced/errors.js'
import { type Line, runOf } from '../../core/unfenced/line.js'
import type { Intent } from '../../core/unfenced/unordered.js'
import { type StagedCopy, viewOf } from '../../core/unfenced/view.js'
import type { UnfencedCalls } from '../../core/unfenced/writes.js'
import { addVersion, type Cell, publicInfo, seenOf } from './cell.js'
import { conflictError, type Effects, type Parts, writeJournal } from './parts.js'
import { assertAlone, assertLeased, renewLease } from './platform.js'
import type { Profile } from './profiles.js'
import { beforeOf, type More, shuffledLine } from './shuffled.js'

/** What two copies of one write have in common. */
function markOf({ bare }: Profile, value: SecretText, token: Token | undefined, id: VersionId | undefined): string {
  if (bare) return digestOf(value)
  return token === undefined ? `of nobody: ${id}` : `${token} ${digestOf(value)}`
}
const digestOf = (value: SecretText): string => createHash('sha256').update(value.reveal()).digest('hex')

/** The versions by number: what is listed may lag, and what is asked by number does not. */
export function lineOf(cell: Cell, profile: Profile, more: More = {}): Line {
  if (profile.unordered) return shuffledLine(cell, more, ({ value, ours, id }) => markOf(profile, value, ours, id))
  const at = (number: number) => [...cell.versions.values()].find((one) => one.number === number)
  const listed = cell.lag?.versions ?? [...cell.versions.values()]
  return {
    listed: listed.map(({ number }) => number),
    look: async (number) => {
      const found = at(number)
      if (found !== undefined) return { mark: markOf(profile, found.value, found.ours, found.id) }
      return number <= cell.numbers ? 'gone' : 'none'
    },
    numberOf: (id) => cell.versions.get(id)?.number ?? (profile.bare && /^\d+$/.test(id) ? Number(id) : undefined),
    infoOf: async (number) => {
      const found = at(number) ?? listed.find((one) => one.number === number) // a listing that lags shows what is gone
      if (found === undefined) throw conflictError(cell.ref)
      return publicInfo(found)
    },
  }
}

/** Published versions, newest first. */
export async function historyOf(cell: Cell, profile: Profile): Promise<readonly VersionInfo[]> {
  if (!profile.unordered) return [...cell.versions.values()].reverse().map(publicInfo)
  const line = lineOf(cell, profile)
  return Promise.all([...line.listed].reverse().map(line.infoOf))
}

/** What is listed in the staging place and what the journal names, each read by its id: gone is absent. */
function stagedOf(cell: Cell, profile: Profile): readonly StagedCopy[] {
  const listed = cell.lag?.staged ?? [...cell.staged.keys()]
  const named = cell.journal?.rotation?.staged
  const ids = new Set([...listed, ...(named === undefined ? [] : [named])])
  return [...ids].flatMap((id) => {
    const one = cell.staged.get(id)
    return one?.value === undefined ? [] : [copyOf(one, one.value, profile)]
  })
}

const copyOf = ({ id, token, base, kind, createdAt, hasValue }: Staged, value: SecretText, profile: Profile): StagedCopy => ({
  ...{ id, token, base, createdAt, hasValue },
  ...optional('kind', kind),
  mark: markOf(profile, value, token, id),
  payload: digestOf(value),
})

/** Shows a secret without its values, as a store whose writes have no condition would. */
export async function unfencedState(cell: Cell, profile: Profile): Promise<SecretState> {
  const seen = seenOf(cell, profile)
  const lost = cell.placeLost ? { placeLost: true as const } : {}
  const view = await viewOf({ line: lineOf(cell, profile), journal: seen.journal, staged: stagedOf(cell, profile) })
  return { ...seen, ...view, ...lost, unfenced: true }
}

/** The calls of one claimed method. Each effect is one call to the platform. */
export function callsOf({ cell, profile, env, effects, claim }: Parts): UnfencedCalls {
  const more: { ids: readonly (VersionId | null)[]; intent?: Intent | undefined } = { ids: [claim.base] }
  const lostJournal = profile.apart ? { lostError: () => conflictError(cell.ref) } : {}
  const listed = async () => {
    more.intent = beforeOf(cell, claim)
    return more.intent?.before
  }
  const leased = { fence: () => renewLease(cell, claim, effects) }
  return {
    ref: cell.ref,
    now: () => env.now(),
    line: async () => lineOf(cell, profile, more),
    journal: async () => (isJournalLost(cell, profile) ? 'lost' : cell.journal),
    ...lostJournal,
    ...(profile.unordered ? { before: listed } : {}),
    ...(profile.leased ? leased : {}),
    stagedOf: async ({ token }: Claim) => stagedOf(cell, profile).filter((one) => one.token === token),
    valueOf: async (version) => cell.staged.get(version)?.value,
    markOf: (value, { token }) => markOf(profile, value, token, undefined),
    note: (what, change) =>
      effects(what, () => {
        if (isJournalLost(cell, profile)) return false
        if (profile.leased) assertLeased(cell, claim)
        const after = change(cell.journal)
        if (after !== undefined) writeJournal(cell, after)
        return true
      }),
    keep: (value, { token, base, kind }) =>
      effects('stage.value', () => {
        assertAlone(cell)
        const id = newVersionId(env.now(), env.random(6))
        if (cell.placeLost && profile.apart) throw placeLostError(cell.ref)
        if (!cell.placeLost) cell.staged.set(id, { id, token, base, kind, createdAt: env.now(), hasValue: true, value })
        return id
      }),
    add: async (value, { token, base }) => {
      const sent = { value, by: token, base }
      cell.sent.push(sent)
      await effects('publish', () => {
        assertAlone(cell)
        addVersion(cell, profile, env, value, sent)
      })
    },
    point: async (number) => (profile.aliases ? moveAlias(cell, number, effects) : undefined),
    drop: async (version, what) => {
      if (cell.staged.has(version)) await effects(what, () => void cell.staged.delete(version))
    },
  }
}

/** Where the journal has an object of its own, there is one from the first claim on. */
const isJournalLost = (cell: Cell, { apart }: Profile): boolean => (apart ? cell.journal === null : cell.placeLost === true)

async function moveAlias(cell: Cell, number: number, effects: Effects): Promise<undefined> {
  const id = [...cell.versions.values()].find((one) => one.number === number)?.id
  const move = () => {
    if (id !== undefined) cell.alias = id
  }
  if (cell.alias !== id) await effects('publish.alias', move)
}

/** Makes a version unreadable, with its copies and what is still staged of it. conflict for what consumers read, and for what is pending. */
export async function disposeUnfenced(cell: Cell, profile: Profile, effects: Effects, version: VersionId): Promise<void> {
  const line = lineOf(cell, profile)
  const number = line.numberOf(version)
  const { current, pending } = await unfencedState(cell, profile)
  const last = current === undefined ? undefined : line.numberOf(current.id)
  if (number === undefined) return
  if (pending?.id === version || (last !== undefined && number >= last)) throw conflictError(cell.ref)
  const found = await line.look(number)
  const copies =
    typeof found === 'string' ? [] : stagedOf(cell, profile).filter(({ mark, id }) => mark === found.mark && id !== pending?.id)
  const run = (await runOf(line, number)).filter((one) => last === undefined || one < last)
  await effects('dispose', () => {
    for (const { id } of copies) cell.staged.delete(id)
    for (const one of [...cell.versions.values()]) if (run.includes(one.number)) cell.versions.delete(one.id)
  })
}
