import { messageOf, RotationError } from '../../core/errors.js'
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

/** Records an effect before it happens. A change that cannot be recorded does not happen. */
export async function recordIntent(sink: AuditSink, record: Omit<AuditRecord, 'phase'>): Promise<void> {
  try {
    await sink.write({ ...record, phase: 'intent' })
  } catch (cause) {
    const next = 'Make the audit log writable again (space, permissions), then run the same command again.'
    throw new RotationError(
      'audit_failed',
      `The audit record before ${record.effect} could not be written (${messageOf(cause)}), so ${record.effect} was not done.`,
      { cause, next },
    )
  }
}
