import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { DeadLetters } from '../core/ports/dead-letters.js'
import type { Env } from '../core/ports/env.js'

/** A message as its carrier describes it. */
export interface Carried {
  readonly from: 'queue' | 'events'
  readonly id?: string | undefined
  readonly bytes: number
}

const idForm = /^[\w.:-]{1,128}$/

/**
 * Ends a message that nobody can read: the same one would never be readable, so that another delivery would bring nothing. It is logged, and put where dead
 * letters end, with its code and without its content. Throws anything but bad_event as it is, and what `letters` throws.
 */
export async function bury(cause: unknown, { from, id, bytes }: Carried, letters: DeadLetters | undefined, env: Env): Promise<void> {
  if (!(cause instanceof RotationError) || cause.code !== 'bad_event') throw cause
  const { code, field } = cause
  const known = id !== undefined && idForm.test(id) ? id : undefined
  env.log('dead_letter', { code, from, bytes, ...optional('id', known), ...optional('field', field) })
  await letters?.put({ code, from, bytes, at: env.now(), ...optional('id', known), ...optional('field', field) })
}

/** The event as its carrier describes it, whatever it is. */
export function carriedEvent(event: unknown): Carried {
  const id = typeof event === 'object' && event !== null && 'id' in event ? event.id : undefined
  return { from: 'events', ...(typeof id === 'string' ? { id } : {}), bytes: Buffer.byteLength(JSON.stringify(event) ?? '') }
}
