import { RotationError } from '../../core/errors.js'

/** Why an operation ended without its effect. isRefusal: a rule of the server refuses the password, so that the same one fails again. */
export interface Failure {
  /** Of the platform, safe to show. */
  readonly code: string
  readonly isRefusal: boolean
}

/** Whether the code of a failed operation says nothing of what was sent, whatever its text says: the same may succeed the next time. */
export const isTransient = (code: string): boolean => /internal|unknown|unavailable/i.test(code)

/** Words of a rule for passwords. */
const words =
  /polic(?:y|ies)|complex|\brequires?\b|requirements?\b|length|\bat (?:least|most)\b|\btoo (?:short|long|weak|simple|common)\b|\breuse|\bhistory\b|characters?\b|\bmust (?:not )?contain/i
/** Whether a text is about a rule that a password has to meet. The word password alone is in the text of many failures. */
export const isOfRule = (text: string): boolean => /password/i.test(text) && words.test(text)

/** What could not be asked is the target of a rotation, and not its store. Any other error stays. */
export const asTarget = (cause: unknown): unknown =>
  cause instanceof RotationError && cause.code === 'unavailable'
    ? new RotationError('target_unreachable', cause.message, { next: cause.next, cause: cause.cause })
    : cause

/** `service` as people call it. */
export const unreadableError = (service: string, shown: string): RotationError =>
  new RotationError('target_unreachable', `${service} gave no readable answer for ${shown}.`, { next: 'It is asked again.' })

/** What the service says in words is not passed on: it may quote what was sent. `look`: the command that shows its operations. */
export const notSetError = (shown: string, user: string, { code }: Failure, look: string): RotationError =>
  new RotationError('target_unreachable', `${shown} did not set the password of ${user} (${code}).`, {
    next: `It is set again. Where that fails again, look at ${look}.`,
  })
