import { RotationError } from '../../core/errors.js'
import { newVersionId } from '../../core/ids.js'
import type { Env } from '../../core/ports/env.js'
import type { Claim, ClaimWish } from '../../core/ports/store.js'
import type { Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { addVersion, type Cell, fencedState, type Kept } from './cell.js'
import { writeJournal } from './parts.js'
import type { Profile } from './profiles.js'

/** The platform begins a rotation of its own, with an empty placeholder under its token. It continues one that is not finished. */
export function begin(cell: Cell, profile: Profile, env: Env): Token {
  const unfinished = fencedState(cell, profile).pending
  if (unfinished !== undefined) return unfinished.token // "A previous rotation isn't complete. That rotation will be reattempted."
  const token = Buffer.from(env.random(16)).toString('hex') as Token
  const id = token as string as VersionId
  cell.staged.set(id, { id, token, base: cell.current, createdAt: env.now(), hasValue: false })
  cell.label = token
  return token
}

/** An operator removes the pending mark. */
export function strip(cell: Cell): void {
  delete cell.label
  const { rotation, ...journal } = cell.journal ?? { retiring: [] }
  if (rotation?.staged === undefined || rotation.published !== undefined) return
  const { staged: _, intent: __, ...rest } = rotation
  writeJournal(cell, { ...journal, rotation: rest })
}

/** Somebody writes a value past the engine. */
export const writePast = (cell: Cell, profile: Profile, value: SecretText, env: Env): VersionId => addVersion(cell, profile, env, value).id

/**
 * staged twice: the value that was kept last is kept once more · late add: the platform carries out the add that was sent last, late or once more · older add: the one that was sent before that · lag: listings show from now on what there is now · place lost:
 * somebody deletes the staging place, and the journal with it where that is in it · all lost: both, where they are apart · lease broken: somebody ends the
 * platform's lease · overlap: the next write of a value is refused, because one of somebody else is under way.
 */
export type Disturbance = 'staged twice' | 'late add' | 'older add' | 'lag' | 'place lost' | 'all lost' | 'lease broken' | 'overlap'

/** Lets it happen. */
export function disturb(cell: Cell, profile: Profile, env: Env, event: Disturbance): void {
  const sent = event === 'late add' ? cell.sent.at(-1) : event === 'older add' ? cell.sent.at(-2) : undefined
  if (sent) addVersion(cell, profile, env, sent.value, sent)
  if (event === 'lag') cell.lag = { versions: [...cell.versions.values()], staged: [...cell.staged.keys()] }
  const last = [...cell.staged.values()].at(-1)
  if (event === 'staged twice' && last) {
    const id = newVersionId(env.now(), env.random(6))
    cell.staged.set(id, { ...last, id })
  }
  if (event === 'lease broken') delete cell.lease
  if (event === 'overlap') cell.overlaps = true
  if (event === 'place lost' || event === 'all lost') losePlace(cell, profile, event)
}

function losePlace(cell: Cell, { apart }: Profile, event: 'place lost' | 'all lost'): void {
  if (apart) for (const [id, one] of cell.staged) cell.deleted.set(id, one)
  cell.staged.clear()
  cell.placeLost = true
  if (!apart || event === 'all lost') writeJournal(cell, null)
}

/** Makes a staging place again, with what was in it where that can be had back. */
export function restorePlace(cell: Cell): void {
  delete cell.placeLost
  for (const [id, one] of cell.deleted) cell.staged.set(id, one)
  cell.deleted.clear()
}

/** How often the engine published: an add that the platform carried out twice is one publication. */
export function publicationsOf(cell: Cell): number {
  const all = [...cell.versions.values()]
  const isAgain = ({ by, value }: Kept, before: Kept | undefined): boolean => before?.by === by && before?.value.equals(value) === true
  return all.filter((one, index) => one.by !== undefined && !isAgain(one, all[index - 1])).length
}

/** The right to act where the platform gives the token and serialises the steps. A person's own rotation runs beside it, under a token of its own. */
export function serviceClaim(cell: Cell, wish: ClaimWish, now: number): Claim {
  const inFlight = cell.label !== undefined && cell.staged.get(cell.label as string as VersionId)?.value !== undefined
  if (cell.label !== wish.token && wish.kind !== 'rotate' && (!inFlight || cell.label === wish.replaces)) cell.label = wish.token
  if (cell.label !== wish.token) {
    throw new RotationError('token_spent', `The service did not give this token for ${cell.ref.shown}.`, {
      next: 'Start a new rotation.',
    })
  }
  return {
    ref: cell.ref,
    token: wish.token,
    kind: wish.kind,
    holder: wish.holder,
    attempt: 0,
    base: cell.current,
    leaseUntil: now + wish.leaseMs,
    drivenBy: wish.kind === 'rotate' ? 'service' : 'engine',
  }
}
