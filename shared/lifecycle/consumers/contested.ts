import { codeOf, RotationError } from '../../core/errors.js'
import type { SecretState, SecretView } from '../../core/ports/store.js'
import type { SecretText } from '../../core/secret-text.js'
import { isDue } from '../decide/publication.js'
import { lookContext } from '../secret/context.js'
import type { Known, Setup, Tools } from '../secret/setup.js'

/** Whether somebody wrote what is current while we published, and nobody has been told about it since. */
export const isContested = (state: SecretView): boolean =>
  state.journal?.unproven !== undefined && state.journal.unproven === state.current?.id && isDue(state)

/**
 * Proves what is current with one login, before anybody is told about it. Refused: the secret is stuck, durably, and nobody is told, because another
 * version is what the target accepts. stuck, and every code of a login.
 */
export async function assertCurrentWorks(tools: Tools, setup: Setup, state: SecretState): Promise<void> {
  const { rotator } = setup
  const { ref, current } = state
  if (rotator === undefined || current === undefined) return
  const text = await tools.store.read(ref, current.id)
  if (await isAccepted(tools, { ...setup, rotator }, state, text)) return
  await tools.store.note(state, { code: 'stuck' })
  throw new RotationError(
    'stuck',
    `${ref.shown} is stuck. Somebody wrote it while it was published, and the target refuses what is current.`,
    {
      next: `Nobody was told. keyturn recover ${ref.shown} tries every stored value once and names the one safe thing to do.`,
    },
  )
}

/** One login. What is not a credential of this kind at all works nowhere. */
async function isAccepted(tools: Tools, setup: Known, state: SecretState, text: SecretText): Promise<boolean> {
  const context = await lookContext(tools, setup, state)
  try {
    return await setup.rotator.accepted(context, setup.rotator.parse(text, setup.policy))
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return false
    throw cause
  }
}
