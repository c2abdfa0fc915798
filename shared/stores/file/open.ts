import type { Env } from '../../core/ports/env.js'
import { FileStore } from '../file.js'
import { assertSafeHome, assertStore } from './home.js'
import { deriveKeys } from './keys.js'

/** Opens a file store. bad_config when nobody ran init there, or when others may write its folder. */
export async function openFileStore(home: string, master: () => Promise<Buffer>, env: Env): Promise<FileStore> {
  await assertSafeHome(home)
  const keys = deriveKeys(await master())
  await assertStore(home)
  return new FileStore(home, keys, env)
}
