import { codeOf, messageOf, RotationError, systemCodeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import { type Code, codes } from '../../core/ports/errors.js'
import { nextFor } from '../../core/remedies.js'
import { type AuditRecord, type AuditSink, recordIntent } from './audit.js'
import type { Redactor } from './redact.js'

/** What every guarded call of an invocation shares. */
export interface Guard {
  readonly env: Env
  readonly audit: AuditSink
  readonly redactor: Redactor
  readonly holder: string
}

/** What the guard has to know about a call; `deadline` in epoch milliseconds. */
export interface GuardedCall {
  /** Which port and method: `store.stage`. */
  readonly name: string
  readonly ref: string
  /** Whether it changes something. Then it is recorded, and refused after `deadline` or when cancelled. */
  readonly effect: boolean
  readonly token?: string
  readonly version?: string
  readonly reason?: string
  /** The caller repeats it later, so the guard must not repeat it. */
  readonly once?: true
  /** When the right to act ends. */
  readonly deadline?: number
  classify(cause: unknown): Code
  /** How long the platform asks to wait before the next call, in milliseconds. */
  askedWaitMs?(cause: unknown): number | undefined
}

const attemptsMax = 4
const waitMsBase = 200
const waitMsMax = 5000
/** No longer, whatever a platform asks: the next attempt then comes with another invocation. */
const askedMsMax = 30_000

/** The only way in which the lifecycle reaches a port: limits, audit, retry, redaction, in this order. */
export async function guarded<T>(guard: Guard, call: GuardedCall, act: () => Promise<T>): Promise<T> {
  if (!call.effect) return (await retried(guard, call, act)).value
  assertMayAct(guard, call)
  const startedAt = guard.env.now()
  const record = recordOf(guard, call, startedAt)
  await recordIntent(guard.audit, record)
  try {
    assertMayAct(guard, call) // writing the record took time, too
    const { value, attempts } = await retried(guard, call, act)
    await recordOutcome(guard, { ...record, ok: true, attempts, ms: guard.env.now() - startedAt })
    return value
  } catch (cause) {
    const code = codeOf(cause) ?? 'internal'
    await recordOutcome(guard, { ...record, ok: false, code, ms: guard.env.now() - startedAt })
    throw cause
  }
}

function assertMayAct({ env }: Guard, call: GuardedCall): void {
  if (env.cancelled.aborted) {
    throw new RotationError('held', `Interrupted before ${call.name}.`, {
      next: 'Run the same command again; it continues where this one stopped.',
    })
  }
  if (call.deadline !== undefined && env.now() >= call.deadline) {
    throw new RotationError('conflict', `The lease ended before ${call.name}.`, {
      next: 'The state is read again; nothing was done after the lease.',
    })
  }
}

async function retried<T>(guard: Guard, call: GuardedCall, act: () => Promise<T>): Promise<{ value: T; attempts: number }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return { value: await act(), attempts: attempt }
    } catch (cause) {
      const error = wrappedError(guard, call, cause)
      const jitter = 0.5 + (guard.env.random(1)[0] ?? 0) / 512
      const askedMs = call.askedWaitMs?.(cause) ?? 0
      const waitMs = Math.max(askedMs, Math.round(Math.min(waitMsMax, waitMsBase * 2 ** (attempt - 1)) * jitter))
      const isFinal = codes[error.code] !== 'retry' || call.once || attempt >= attemptsMax || askedMs > askedMsMax
      if (isFinal || !mayRepeat(guard, call, waitMs)) throw error
      guard.env.log('retry', { call: call.name, ref: call.ref, code: error.code, attempt })
      await guard.env.sleep(waitMs)
      if (!mayRepeat(guard, call, 0)) throw error // a suspended process wakes up late
    }
  }
}

const mayRepeat = ({ env }: Guard, { deadline }: GuardedCall, waitMs: number): boolean =>
  !env.cancelled.aborted && (deadline === undefined || env.now() + waitMs < deadline)

/** The same error, redacted. Its cause holds the name, code and message of the driver's error, and no other property. */
export function redactedError(redactor: Redactor, error: RotationError): RotationError {
  const inner = error.cause === undefined ? undefined : bareError(redactor, error.cause)
  return new RotationError(error.code, redactor.clean(error.message), {
    next: redactor.clean(error.next),
    ...optional('cause', inner),
    ...optional('field', error.field),
  })
}

/** Makes the error of a call that failed: wrapped exactly once, and redacted. */
export function wrappedError({ redactor }: Guard, call: GuardedCall, cause: unknown): RotationError {
  if (cause instanceof RotationError) return redactedError(redactor, cause)
  const code = call.classify(cause)
  const message = `${call.name} of ${call.ref} failed: ${redactor.clean(messageOf(cause))}.`.replace(/\.\.$/, '.')
  return new RotationError(code, message, { cause: bareError(redactor, cause), next: nextFor(code, call.ref) })
}

function bareError(redactor: Redactor, cause: unknown): Error {
  const bare = new Error(redactor.clean(messageOf(cause)))
  bare.name = cause instanceof Error ? redactor.clean(cause.name) : 'Error'
  bare.stack = `${bare.name}: ${bare.message}`
  const code = systemCodeOf(cause)
  return code === undefined ? bare : Object.assign(bare, { code: redactor.clean(code) })
}

const recordOf = ({ holder, redactor }: Guard, call: GuardedCall, at: number): Omit<AuditRecord, 'phase'> => ({
  at,
  effect: call.name,
  ref: call.ref,
  holder,
  ...optional('token', call.token),
  ...optional('version', call.version),
  ...(call.reason === undefined ? {} : { reason: redactor.clean(call.reason) }),
})

/** Records the outcome. The effect has happened or failed already, so a lost record is logged and does not become a failure of the effect. */
async function recordOutcome({ audit, env }: Guard, record: Omit<AuditRecord, 'phase'>): Promise<void> {
  try {
    await audit.write({ ...record, phase: 'outcome', at: env.now() })
  } catch (cause) {
    env.log('audit_outcome_lost', { effect: record.effect, ref: record.ref, why: messageOf(cause) })
  }
}
