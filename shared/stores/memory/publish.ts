import { assertClaim } from '../../core/claims.js'
import { RotationError } from '../../core/errors.js'
import { newVersionId } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Journal, VersionInfo } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import { checkRight, type Parts, writeJournal } from './parts.js'

type Publishing = Parts & { readonly version: VersionId }

const ourOwn = ({ cell, claim }: Parts): VersionInfo | undefined => {
  const found = [...cell.versions.values()].find(({ ours }) => ours === claim.token)
  if (found === undefined) return undefined
  const { value: _, ...info } = found
  return info
}

/** One write, conditional on base; idempotent by token. */
export async function publishFenced(parts: Publishing): Promise<VersionInfo> {
  const { cell, profile, claim } = parts
  const before = ourOwn(parts)
  if (before) return before
  return parts.effects('publish', () => {
    checkRight(parts)
    if (cell.current !== claim.base)
      throw new RotationError('conflict', 'Somebody else published meanwhile.', { next: 'The state is read again.' })
    const info = makeCurrent(parts)
    if (profile.bookkeeping === 'same-write') close(parts)
    return info
  })
}

/**
 * Intent, an unconditional write, and a look at what follows base: before each write, and after it. Nothing is deleted when a third writer shows.
 * Before the write it ends the rotation, whose value is then a leftover; after it the rotation is published and contested.
 */
export async function publishChecked(parts: Publishing): Promise<VersionInfo> {
  const { cell, claim } = parts
  if (ourOwn(parts) === undefined) {
    await assertNobodyWrote(parts)
    await parts.effects('publish.intent', () => {
      const rotation = assertClaim(claim, cell.journal)
      if (rotation.intent !== true) writeJournal(cell, { ...(cell.journal as Journal), rotation: { ...rotation, intent: true } })
    })
    await assertNobodyWrote(parts)
  }
  const info = ourOwn(parts) ?? (await parts.effects('publish', () => makeCurrent(parts)))
  if (followers(parts).every(({ id }) => id === info.id)) return info
  await bookkeep(parts, true)
  throw foreignWriteError(parts, 'both versions are kept')
}

/** What was written after base, the oldest first. */
function followers({ cell, claim }: Parts): readonly VersionInfo[] {
  const all = [...cell.versions.values()]
  return all.slice(claim.base === null ? 0 : all.findIndex(({ id }) => id === claim.base) + 1)
}

/** Closes the rotation where somebody else wrote after base: its value is not published over theirs, and stays as a leftover. */
async function assertNobodyWrote(parts: Publishing): Promise<void> {
  const { cell, claim } = parts
  if (followers(parts).length === 0) return
  await parts.effects('publish.close', () => {
    assertClaim(claim, cell.journal)
    const { rotation: _, ...journal } = cell.journal as Journal
    writeJournal(cell, { ...journal, ...optional('unproven', cell.current ?? undefined) })
  })
  throw foreignWriteError(parts, 'the new one is not published')
}

const foreignWriteError = ({ claim }: Parts, what: string): RotationError =>
  new RotationError('foreign_write', `Somebody else wrote ${claim.ref.shown} between the test and the publication; ${what}.`, {
    next: 'Find out who writes this secret, and put the value that should stay.',
  })

/** Says in the journal that the rotation is published, and whether somebody else wrote at the same time; drops the staged copy. */
export async function bookkeep(parts: Publishing, contested = false): Promise<void> {
  const { cell, profile, version } = parts
  if (profile.bookkeeping === 'same-write') return
  await parts.effects('publish.journal', () => close(parts, contested))
  if (cell.staged.has(version)) await parts.effects('publish.drop', () => void cell.staged.delete(version))
}

function makeCurrent(parts: Publishing): VersionInfo {
  const { cell, profile, claim, version, env } = parts
  const staged = cell.staged.get(version)
  if (staged?.value === undefined) throw new RotationError('conflict', 'The staged value is gone.', { next: 'The state is read again.' })
  const id = profile.publishesCopy ? newVersionId(env.now(), env.random(6)) : version
  const info = { id, createdAt: env.now(), hasValue: true, ours: claim.token }
  cell.versions.set(id, { ...info, value: staged.value })
  cell.previous = cell.current
  cell.current = id
  cell.publishedAt = env.now()
  return info
}

function close({ cell, profile, claim, version }: Publishing, contested = false): void {
  if (!profile.publishesCopy) cell.staged.delete(version)
  const rotation = cell.journal?.rotation
  if (profile.serviceDriven && cell.journal?.code !== undefined) {
    const { code: _, ...journal } = cell.journal
    writeJournal(cell, journal)
  }
  if (profile.serviceDriven || rotation?.token !== claim.token || cell.current === null) return
  const { staged: _, intent: __, minting: ___, ...rest } = rotation
  const published = [...cell.versions.values()].find(({ ours }) => ours === claim.token)?.id ?? cell.current
  const { code, ...journal } = cell.journal as Journal
  const kept = contested ? optional('code', code) : {} // what is current then was not proven
  writeJournal(cell, {
    ...journal,
    ...kept,
    ...(contested ? { unproven: cell.current } : {}),
    rotation: { ...rest, published, leaseUntil: 0 },
  })
}
