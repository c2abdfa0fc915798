import type { Context, LoginSeen, Rotator } from './ports/rotator.js'

/** One login with a value, and what it showed. A kind without `login` gives a session to everybody whom it accepts. */
export async function seeLogin<V>(rotator: Rotator<V>, context: Context<V>, value: V): Promise<LoginSeen> {
  if (rotator.login !== undefined) return rotator.login(context, value)
  const isAccepted = await rotator.accepted(context, value)
  return { passwordAccepted: isAccepted, logsIn: isAccepted }
}
