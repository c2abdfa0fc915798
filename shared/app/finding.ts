import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { Code } from '../core/ports/errors.js'

/** One thing that doctor examined. Only `wrong` makes the command fail. */
export interface Finding {
  readonly what: string
  readonly level: 'good' | 'warning' | 'wrong'
  readonly says: string
  /** The code of the error that was met, if there was one. */
  readonly code?: Code
  /** The field or the variable that this error names, if it names one. */
  readonly field?: string
  /** What to do about it; absent if it is good. */
  readonly next?: string
}

/** Makes a finding that needs nothing to be done. */
export const good = (what: string, says: string): Finding => ({ what, level: 'good', says })

/** Makes a finding of an error that was met. Any other error than our own is thrown. */
export const wrong = (what: string, cause: unknown): Finding => {
  if (!(cause instanceof RotationError)) throw cause
  return {
    what,
    level: 'wrong',
    code: cause.code,
    ...optional('field', cause.field),
    says: `${cause.code}: ${cause.message}`,
    next: cause.next,
  }
}
