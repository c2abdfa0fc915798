import { createHash } from 'node:crypto'
import { newVersionId } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Claim, SecretState, Staged } from '../../core/ports/store.js'
import type { Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { type Line, runOf } from '../../core/unfenced/line.js'
import { type StagedCopy, viewOf } from '../../core/unfenced/view.js'
import type { UnfencedCalls } from '../../core/unfenced/writes.js'
import { addVersion, type Cell, publicInfo, seenOf } from './cell.js'
import { conflictError, type Effects, type Parts, writeJournal } from './parts.js'
import type { Profile } from './profiles.js'

/** What two copies of one write have in common. */
function markOf({ bare }: Profile, value: SecretText, token: Token | undefined, id: VersionId | undefined): string {
  if (bare) return createHash('sha256').update(value.reveal()).digest('hex')
  return token ?? `of nobody: ${id}`
}

/** The versions by number: what is listed may lag, and what is asked by number does not. */
function lineOf(cell: Cell, profile: Profile): Line {
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
  ...(profile.bare ? { payload: markOf(profile, value, token, id) } : {}),
})

/** Shows a secret without its values, as a store whose writes have no condition would. */
export async function unfencedState(cell: Cell, profile: Profile): Promise<SecretState> {
  const seen = seenOf(cell, profile)
  const lost = cell.placeLost ? { placeLost: true as const } : {}
  const view = await viewOf({ line: lineOf(cell, profile), journal: seen.journal, staged: stagedOf(cell, profile) })
  return { ...seen, ...view, ...lost, unfenced: true }
}

/** The calls of one claimed method. Each effect is one call to the platform. */
export function callsOf({ cell, profile, env, effects }: Parts): UnfencedCalls {
  return {
    ref: cell.ref,
    now: () => env.now(),
    line: async () => lineOf(cell, profile),
    journal: async () => (cell.placeLost ? 'lost' : cell.journal),
    stagedOf: async ({ token }: Claim) => stagedOf(cell, profile).filter((one) => one.token === token),
    valueOf: async (version) => cell.staged.get(version)?.value,
    markOf: (value, { token }) => markOf(profile, value, token, undefined),
    note: (what, change) =>
      effects(what, () => {
        if (cell.placeLost) return false
        const after = change(cell.journal)
        if (after !== undefined) writeJournal(cell, after)
        return true
      }),
    keep: (value, { token, base, kind }) =>
      effects('stage.value', () => {
        const id = newVersionId(env.now(), env.random(6))
        if (!cell.placeLost) cell.staged.set(id, { id, token, base, kind, createdAt: env.now(), hasValue: true, value })
        return id
      }),
    add: async (value, { token }) => {
      cell.sent.push({ value, by: token })
      await effects('publish', () => void addVersion(cell, profile, env, value, token))
    },
    point: async (number) => {
      const id = [...cell.versions.values()].find((one) => one.number === number)?.id
      const move = () => {
        if (id !== undefined) cell.alias = id
      }
      if (cell.alias !== id) await effects('publish.alias', move)
    },
    drop: async (version, what) => {
      if (cell.staged.has(version)) await effects(what, () => void cell.staged.delete(version))
    },
  }
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
