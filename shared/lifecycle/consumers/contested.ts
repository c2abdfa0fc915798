import { RotationError } from '../../core/errors.js'
import type { SecretState, SecretView } from '../../core/ports/store.js'
import { isDue } from '../decide/publication.js'
import { lookContext } from '../secret/context.js'
import type { Setup, Tools } from '../secret/setup.js'

/** Whether somebody else wrote while we published, and nobody has been told about what is current since. */
export const isContested = (state: SecretView): boolean => state.journal?.rotation?.contested === true && isDue(state)

/**
 * Proves what is current with one login, before anybody is told about it. Refused: the secret is stuck, durably, and nobody is told, because another
 * version is what the target accepts. stuck, and every code of a login.
 */
export async function assertCurrentWorks(tools: Tools, setup: Setup, state: SecretState): Promise<void> {
  const { rotator, policy } = setup
  const { ref, current } = state
  if (rotator === undefined || current === undefined) return
  const known = { ...setup, rotator }
  const value = rotator.parse(await tools.store.read(ref, current.id), policy)
  if (await rotator.accepted(await lookContext(tools, known, state), value)) return
  await tools.store.note(state, { code: 'stuck' })
  throw new RotationError(
    'stuck',
    `${ref.shown} is stuck. Somebody wrote it while it was published, and the target refuses what is current.`,
    {
      next: `Nobody was told. keyturn recover ${ref.shown} tries every stored value once and names the one safe thing to do.`,
    },
  )
}
