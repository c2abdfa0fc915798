import { parseKey, readKeyFile } from '../stores/file/keys.js'
import type { Config } from './config.js'

/** Reads KEYTURN_KEY, or else the key file. bad_config. */
export const masterKey = async ({ key, keyFile }: Config): Promise<Buffer> => (key ? parseKey(key, 'KEYTURN_KEY') : readKeyFile(keyFile))
