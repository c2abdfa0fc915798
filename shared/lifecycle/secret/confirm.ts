import type { SecretState } from '../../core/ports/store.js'
import type { Tools } from './setup.js'

/**
 * Stands before what is told, noted or claimed because of what is current. Where a pointer names another version than the journal knows, an old answer
 * may have said so: the store makes sure. conflict where it is not so.
 */
export async function confirmUnknown({ store }: Pick<Tools, 'store'>, state: SecretState): Promise<void> {
  if (state.pointer === 'unconfirmed') await store.confirm?.(state)
}

/** Stands before a credential is ended: where a pointer names what is current, somebody may have moved it since, even if the journal knows what was read. */
export async function confirmCurrent({ store }: Pick<Tools, 'store'>, state: SecretState): Promise<void> {
  if (state.pointer !== undefined) await store.confirm?.(state)
}
