import { messageOf, RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Code } from '../../core/ports/errors.js'

/** Two records per effect: `intent` before, `outcome` after. Ids, times and codes; never a value. */
export interface AuditRecord {
  readonly at: number
  readonly phase: 'intent' | 'outcome'
  readonly effect: string
  readonly ref: string
  readonly holder: string
  readonly token?: string
  readonly version?: string
  readonly reason?: string
  readonly ok?: boolean
  readonly code?: Code
  readonly attempts?: number
  readonly ms?: number
}

/** The place where records go; write resolves when the record is kept. */
export interface AuditSink {
  write(record: AuditRecord): Promise<void>
}

/** Records an effect before it happens. A change that cannot be recorded does not happen: audit_failed, or locked and held as the sink says. */
export async function recordIntent(sink: AuditSink, record: Omit<AuditRecord, 'phase'>): Promise<void> {
  try {
    await sink.write({ ...record, phase: 'intent' })
  } catch (cause) {
    throw notRecorded(record.effect, cause)
  }
}

function notRecorded(effect: string, cause: unknown): RotationError {
  const message = `The audit record before ${effect} could not be written, so ${effect} was not done: ${messageOf(cause).replace(/\.$/, '')}.`
  if (!(cause instanceof RotationError)) {
    const next = 'Make the audit log writable again (space, permissions), then run the same command again.'
    return new RotationError('audit_failed', message, { cause, next })
  }
  // Another process at work, or an interrupt, is not a fault of the log.
  const code = cause.code === 'locked' || cause.code === 'held' ? cause.code : 'audit_failed'
  return new RotationError(code, message, { cause, next: cause.next, ...optional('field', cause.field) })
}
