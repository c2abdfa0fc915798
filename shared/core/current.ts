import { RotationError } from './errors.js'
import type { CurrentValue, SecretStore } from './ports/store.js'

/** Reads the current value by `describe` and `read`, for a store that has no shorter way. not_found if the secret has no value. */
export async function currentOf(store: Pick<SecretStore, 'resolve' | 'describe' | 'read'>, text: string): Promise<CurrentValue> {
  const ref = await store.resolve(text)
  const { current } = await store.describe(ref)
  if (current !== undefined) return { ref, value: await store.read(ref, current.id) }
  throw new RotationError('not_found', `${ref.shown} has no value.`, { field: 'ref', next: `Put one with keyturn put ${ref.shown}.` })
}
