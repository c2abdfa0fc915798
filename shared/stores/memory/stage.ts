import { newVersionId } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Journal, StagedValue } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { checkRight, conflictError, type Parts, writeJournal } from './parts.js'

/** Writes value and name in one write, or in two between which a crash may come. */
export async function stageValue(parts: Parts, value: SecretText): Promise<StagedValue> {
  const { cell, profile, env, effects, claim } = parts
  const there = [...cell.staged.values()].find((staged) => staged.token === claim.token && staged.value !== undefined)
  const id = there?.id ?? (profile.serviceDriven ? (claim.token as string as VersionId) : newVersionId(env.now(), env.random(6)))
  const put = () => {
    checkRight(parts)
    const { token, base, kind } = claim
    if (there === undefined) cell.staged.set(id, { id, token, base, kind, createdAt: env.now(), hasValue: true, value })
  }
  const name = () => {
    const rotation = checkRight(parts)
    if (rotation) writeJournal(cell, { ...(cell.journal as Journal), rotation: { ...rotation, staged: id } })
  }
  if (profile.stageWrites === 2) {
    if (there === undefined) await effects('stage.value', put)
    await effects('stage.name', name)
  } else {
    await effects('stage', () => {
      put()
      name()
    })
  }
  return { version: id, stored: there === undefined || there.value?.equals(value) ? 'supplied' : 'other' }
}

/** Removes the value first: a name without a value is not a pending value, but a value without a name would be taken up again. */
export async function discardValue(parts: Parts, version: VersionId): Promise<'again' | 'spent'> {
  const { cell, profile, effects, claim } = parts
  if (profile.serviceDriven) {
    await effects('discard', () => void delete cell.label)
    return 'spent'
  }
  await effects('discard.value', () => {
    checkRight(parts)
    cell.staged.delete(version)
  })
  await effects('discard.journal', () => {
    const open = checkRight(parts)
    if (open === undefined) throw conflictError(claim.ref)
    const { staged, intent, ...rotation } = open
    const counts = staged === version && rotation.base === cell.current ? 1 : 0 // a loose value was never offered to the target by this rotation
    const keep = staged === version ? {} : { ...optional('staged', staged), ...optional('intent', intent) }
    writeJournal(cell, { ...(cell.journal as Journal), rotation: { ...rotation, ...keep, refusals: rotation.refusals + counts } })
  })
  return 'again'
}
