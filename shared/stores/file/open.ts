import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RotationError, systemCodeOf } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import { FileStore } from '../file.js'
import { folderError, secretsFolder } from './disk.js'
import { deriveKeys } from './keys.js'

/** Opens a file store. bad_config when nobody ran init there. */
export async function openFileStore(home: string, master: Buffer, env: Env): Promise<FileStore> {
  if (!(await isFolder(secretsFolder(home)))) {
    throw new RotationError('bad_config', `There is no file store in ${home}.`, {
      field: 'KEYTURN_HOME',
      next: 'Run keyturn init, or name the folder with --home or KEYTURN_HOME.',
    })
  }
  return new FileStore(home, deriveKeys(master), env)
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return false
    if (systemCodeOf(cause) === 'ENOTDIR') throw folderError(dirname(path))
    throw cause
  }
}
