import { assertClaim } from '../../core/claims.js'
import { RotationError } from '../../core/errors.js'
import { newVersionId } from '../../core/ids.js'
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

/** Publishes by one write that is conditional on base; idempotent by token. */
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

/** Publishes by an intent, an unconditional write, and a look at what follows base. Nothing is deleted when a third writer shows up. */
export async function publishChecked(parts: Publishing): Promise<VersionInfo> {
  const { cell, claim } = parts
  await parts.effects('publish.intent', () => {
    if (ourOwn(parts)) return
    const rotation = assertClaim(claim, cell.journal)
    if (cell.current !== claim.base && rotation.intent !== true)
      throw new RotationError('conflict', 'Somebody else published meanwhile.', { next: 'The state is read again.' })
    writeJournal(cell, { ...(cell.journal as Journal), rotation: { ...rotation, intent: true } })
  })
  const info = ourOwn(parts) ?? (await parts.effects('publish', () => makeCurrent(parts)))
  const ids = [...cell.versions.keys()]
  const next = ids[claim.base === null ? 0 : ids.indexOf(claim.base) + 1]
  if (next === info.id) return info
  await bookkeep(parts)
  throw new RotationError(
    'foreign_write',
    `Somebody else wrote ${claim.ref.shown} between the test and the publication; both versions are kept.`,
    {
      next: 'Find out who else writes this secret, and put the value that should stay.',
    },
  )
}

/** Notes in the journal that the rotation is published, and drops the staged copy. */
export async function bookkeep(parts: Publishing): Promise<void> {
  const { cell, profile, version } = parts
  if (profile.bookkeeping === 'same-write') return
  await parts.effects('publish.journal', () => close(parts))
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

function close({ cell, profile, claim, version }: Publishing): void {
  if (!profile.publishesCopy) cell.staged.delete(version)
  const rotation = cell.journal?.rotation
  if (profile.serviceDriven || rotation?.token !== claim.token || cell.current === null) return
  const { staged: _, intent: __, minting: ___, ...rest } = rotation
  const published = [...cell.versions.values()].find(({ ours }) => ours === claim.token)?.id ?? cell.current
  writeJournal(cell, { ...(cell.journal as Journal), rotation: { ...rest, published, leaseUntil: 0 } })
}
