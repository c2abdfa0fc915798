import { RotationError } from '../../core/errors.js'
import type { Journal, VersionInfo } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import { addVersion, publicInfo } from './cell.js'
import { checkRight, type Parts, writeJournal } from './parts.js'

type Publishing = Parts & { readonly version: VersionId }

const ourOwn = ({ cell, claim }: Parts): VersionInfo | undefined => {
  const found = [...cell.versions.values()].find(({ ours }) => ours === claim.token)
  return found && publicInfo(found)
}

/** One write, conditional on base, and where the journal is an object of its own, another one to note it; idempotent by token. */
export async function publishFenced(parts: Publishing): Promise<VersionInfo> {
  const { cell, profile, claim } = parts
  const info =
    ourOwn(parts) ??
    (await parts.effects('publish', () => {
      checkRight(parts)
      if (cell.current !== claim.base)
        throw new RotationError('conflict', 'Somebody else published meanwhile.', { next: 'The state is read again.' })
      const made = makeCurrent(parts)
      if (profile.bookkeeping === 'same-write') close(parts)
      return made
    }))
  await bookkeep(parts)
  return info
}

/** Says in the journal that the rotation is published, and drops the staged copy. */
async function bookkeep(parts: Publishing): Promise<void> {
  const { cell, profile, version } = parts
  if (profile.bookkeeping === 'same-write') return
  await parts.effects('publish.journal', () => close(parts))
  if (cell.staged.has(version)) await parts.effects('publish.drop', () => void cell.staged.delete(version))
}

function makeCurrent({ cell, profile, claim, version, env }: Publishing): VersionInfo {
  const staged = cell.staged.get(version)
  if (staged?.value === undefined) throw new RotationError('conflict', 'The staged value is gone.', { next: 'The state is read again.' })
  return addVersion(cell, profile, env, staged.value, { by: claim.token, ...(profile.publishesCopy ? {} : { id: version }) })
}

function close({ cell, profile, claim, version }: Publishing): void {
  if (!profile.publishesCopy) cell.staged.delete(version)
  const rotation = cell.journal?.rotation
  if (profile.serviceDriven && cell.journal?.code !== undefined) {
    const { code: _, ...journal } = cell.journal
    writeJournal(cell, journal)
  }
  if (profile.serviceDriven || rotation?.token !== claim.token || cell.current === null) return
  const { staged: _, minting: __, ...rest } = rotation
  const published = [...cell.versions.values()].find(({ ours }) => ours === claim.token)?.id ?? cell.current
  const { code: ___, ...journal } = cell.journal as Journal
  writeJournal(cell, { ...journal, rotation: { ...rest, published, leaseUntil: 0 } })
}
