import type { LoginEnd } from '../../core/ports/rotator.js'
import type { Warning } from './trial.js'

/** Without a schedule nobody knows when the next rotation is: an end within this time is worth a warning. */
const soonMs = 30 * 86_400_000

/**
 * What a person should know where the target ends a login before its next rotation is due. A rotation changes the password and does not move that end.
 * undefined where there is no end, or it comes later.
 */
export function expiryWarning(end: Partial<LoginEnd> | undefined, nextAt: number | undefined, now: number): Warning | undefined {
  if (end?.at === undefined || end.at > (nextAt ?? now + soonMs)) return undefined
  const due = nextAt === undefined ? 'no rotation is scheduled' : `the next rotation is due at ${new Date(nextAt).toISOString()}`
  return {
    says: `the target ends ${end.login === undefined ? 'a login of this secret' : `the login ${end.login}`} at ${new Date(end.at).toISOString()}, and ${due}`,
    next: 'Move that end at the target (PostgreSQL: ALTER ROLE … VALID UNTIL); a rotation does not move it.',
  }
}
