import { type Code, codes, type Remedy } from './ports/errors.js'

/** The one error that leaves a room: what happened and where (`message`), what to do (`next`), and a stable `code` for programs. */
export class RotationError extends Error {
  override readonly name = 'RotationError'
  readonly code: Code
  readonly next: string
  /** The input that is wrong, as a path (`password`, `keyturn-grace`), if there is one. */
  declare readonly field?: string
  constructor(code: Code, message: string, options: { next: string; cause?: unknown; field?: string }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.next = options.next
    if (options.field !== undefined) this.field = options.field
  }
  get remedy(): Remedy {
    return codes[this.code]
  }
}

/** A rotator calls it right before an effect: a process that slept past its deadline must not act any more. conflict. */
export function assertInTime(context: { readonly deadline: number; readonly env: { now(): number } }, what: string): void {
  if (context.env.now() < context.deadline) return
  throw new RotationError('conflict', `The lease ended before ${what}.`, {
    next: 'The state is read again; nothing was done after the lease.',
  })
}

/** The code of a caught error, if it is one of our own. */
export const codeOf = (cause: unknown): Code | undefined => (cause instanceof RotationError ? cause.code : undefined)

/** The system's or the driver's own error code (`ECONNREFUSED`, `28P01`), if it has one. */
export function systemCodeOf(cause: unknown): string | undefined {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : undefined
}
/** The message of anything that was thrown, even if it is not an Error. It is not redacted. */
export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
