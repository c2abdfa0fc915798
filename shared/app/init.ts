import type { Env } from '../core/ports/env.js'
import { makeFolders } from '../stores/file/home.js'
import { createKeyFile, parseKey } from '../stores/file/keys.js'
import type { Config } from './config.js'

/** Creates folders that only their owner can read, and a new key unless one is given. exists if there is a key already; it stays. */
export async function createFileHome({ home, key, keyFile }: Config, { random }: Env): Promise<{ readonly keyFile?: string }> {
  if (key) parseKey(key, 'KEYTURN_KEY')
  await makeFolders(home)
  if (key) return {}
  await createKeyFile(keyFile, random)
  return { keyFile }
}
