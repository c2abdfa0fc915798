import { anyFile } from './disk.js'
import { assertKey } from './document.js'
import type { StoreKeys } from './keys.js'

/** A store has one key: a new secret under another would make its list unreadable for both. bad_config. */
export async function assertOneKey(home: string, keys: StoreKeys): Promise<void> {
  const there = await anyFile(home)
  if (there !== undefined) assertKey(keys, there.text, there.path)
}
