import { RotationError } from './errors.js'
import type { CurrentValue, SecretStore } from './ports/store.js'

/** For a store whose platform has no shorter way to it: the look names the version. not_found where it has no value. */
export async function currentOf(store: Pick<SecretStore, 'resolve' | 'describe' | 'read'>, text: string): Promise<CurrentValue> {
  const ref = await store.resolve(text)
  const { current } = await store.describe(ref)
  if (current !== undefined) return { ref, value: await store.read(ref, current.id) }
  throw new RotationError('not_found', `${ref.shown} has no value.`, { field: 'ref', next: `Put one with keyturn put ${ref.shown}.` })
}
