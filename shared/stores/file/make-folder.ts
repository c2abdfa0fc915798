import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { diskCodeOf, diskError } from '../../core/disk-error.js'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'

/**
 * Makes a folder for its owner alone, and those above it that are not there. What fails names the folder in which nothing could be made. Node's own
 * recursive mkdir tries for ever in a file system that takes no folders, such as /proc.
 */
export async function makeFolder(path: string, field?: string): Promise<void> {
  if (await made(path, field)) return
  const above = dirname(path)
  if (above !== path) await makeFolder(above, field)
  if (await made(path, field)) return
  throw new RotationError('denied', `${path} cannot be made: the file system of ${above} takes no new folder.`, {
    ...optional('field', field),
    next: 'Name a folder elsewhere, then run the same command again.',
  })
}

/** Whether the folder is there now; false where the one above it is not. */
async function made(path: string, field: string | undefined): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 })
    return true
  } catch (cause) {
    const code = diskCodeOf(cause)
    if (code === 'ENOENT') return false
    if (await isFolder(path)) return true // EEXIST, or EROFS and the like of a file system that asks for its right first
    throw diskError(cause, { path, tried: 'made', folder: dirname(path), ...optional('field', field) })
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (cause) {
    if (diskCodeOf(cause) === undefined) throw cause
    return false // mkdir has said why
  }
}
