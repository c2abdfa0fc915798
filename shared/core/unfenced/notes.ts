import { assertClaim } from '../claims.js'
import { RotationError } from '../errors.js'
import { optional } from '../optional.js'
import type { Claim, Journal, OpenRotation } from '../ports/store.js'
import type { VersionId } from '../ports/words.js'

/** What a write makes of the journal that is there at that moment. undefined: nothing is written. */
export type Change = (journal: Journal | null) => Journal | undefined

/** The journal with this claim's rotation changed. conflict where the claim is no longer ours. */
function changed(journal: Journal | null, claim: Claim, change: (rotation: OpenRotation) => OpenRotation | undefined): Journal {
  const rotation = assertClaim(claim, journal)
  const { rotation: _, ...rest } = journal ?? { retiring: [] }
  return { ...rest, ...optional('rotation', change(rotation)) }
}

/** Names the value that was kept, so that it may be set. A claim that began on an older version may go on from what is current: its base is the one that counts. */
export const named =
  (claim: Claim, staged: VersionId): Change =>
  (journal) =>
    changed(journal, claim, (rotation) => ({ ...rotation, base: claim.base, staged }))

/** From here on only finish may run. `before`: what is there now, where versions have no order. */
export const intended =
  (claim: Claim, before: readonly VersionId[] | undefined): Change =>
  (journal) =>
    changed(journal, claim, (rotation) => ({ ...rotation, base: claim.base, intent: true, ...optional('before', before) }))

/** Closes the rotation because somebody else wrote first. What they wrote is unproven, and the staged value is a leftover. */
export const closed =
  (claim: Claim, theirs: VersionId | undefined): Change =>
  (journal) => ({ ...changed(journal, claim, () => undefined), ...optional('unproven', theirs) })

/**
 * Gives a value up, with its copies, before it is removed: whoever has lost the claim removes nothing. `isRefused`: this rotation offered it to the target. A value that
 * was given up is not shown any more, even where nobody came to remove it.
 */
export const condemned =
  (claim: Claim, version: VersionId, isRefused: boolean, copies: readonly VersionId[]): Change =>
  (journal) => {
    const after = changed(journal, claim, ({ staged, intent, before, ...rotation }) => {
      const intended = { ...optional('intent', intent), ...optional('before', before) }
      const keep = staged === version ? {} : { ...optional('staged', staged), ...intended }
      return { ...rotation, ...keep, refusals: rotation.refusals + (isRefused && staged === version ? 1 : 0) }
    })
    return { ...after, condemned: [...(after.condemned ?? []), version, ...copies] }
  }

/**
 * Notes the publication, and in the same write whether somebody else wrote at the same time: then what is current is unproven, and a durable code
 * stays. `removed`: given up before, and gone by now. Nothing is written where another rotation has
 * taken the place, nor where it is noted already: what was found since then stays.
 */
export const published =
  (claim: Claim, version: VersionId, unproven: VersionId | undefined, removed: readonly VersionId[]): Change =>
  (journal) => {
    const rotation = journal?.rotation
    if (!journal || rotation?.token !== claim.token || rotation.published !== undefined) return undefined
    const { staged: _, intent: __, before: ___, minting: ____, ...rest } = rotation
    const { code, condemned: before = [], ...kept } = journal
    const left = before.filter((id) => !removed.includes(id))
    const contested = unproven === undefined ? {} : { unproven, ...optional('code', code) }
    const open = left.length === 0 ? {} : { condemned: left }
    return { ...kept, ...open, ...contested, rotation: { ...rest, published: version, leaseUntil: 0 } }
  }

/** Makes the error of a staged value that is not there any more. */
export const valueGoneError = (): RotationError =>
  new RotationError('conflict', 'The staged value is gone.', { next: 'The state is read again.' })
