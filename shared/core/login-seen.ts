import type { Context, LoginSeen, Rotator } from './ports/rotator.js'
import { proofOf } from './proof.js'

/** One login with a value, and what it showed; null where no password can be tried. A kind without `login` gives a session to everybody whom it accepts. */
export async function seeLogin<V>(rotator: Rotator<V>, context: Context<V>, value: V): Promise<LoginSeen> {
  if (rotator.login !== undefined) return rotator.login(context, value)
  if (proofOf(rotator, context.policy) === 'answer') return { passwordAccepted: null, logsIn: null }
  const isAccepted = await rotator.accepted(context, value)
  return { passwordAccepted: isAccepted, logsIn: isAccepted }
}
