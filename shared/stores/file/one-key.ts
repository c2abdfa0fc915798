import { anyFile } from './disk.js'
import { assertKey } from './document.js'
import type { StoreKeys } from './keys.js'

/** Checks that a new secret gets the store's one key: under another key it would make the list unreadable with both. bad_config. */
export async function assertOneKey(home: string, keys: StoreKeys): Promise<void> {
  const there = await anyFile(home)
  if (there !== undefined) assertKey(keys, there.text, there.path)
}
