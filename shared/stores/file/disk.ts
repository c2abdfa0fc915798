import { chmod, mkdir, open, opendir, readFile, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RotationError, systemCodeOf } from '../../core/errors.js'

/** The folder of the secrets, one file for each. */
export const secretsFolder = (home: string): string => join(home, 'secrets')
/** The folder of the lock's numbered files. */
export const lockFolder = (home: string): string => join(home, 'lock')
/** The file of a secret: `temporal/pg` → `temporal%2Fpg.json`. */
export const pathOf = (home: string, key: string): string => join(secretsFolder(home), `${encodeURIComponent(key)}.json`)
/** The secret that a file holds; undefined for a file that does not belong to the store. */
export function keyOf(file: string): string | undefined {
  const name = /^([a-z0-9].*)\.json$/.exec(file)?.[1]
  if (name === undefined) return undefined
  try {
    return decodeURIComponent(name)
  } catch (cause) {
    if (cause instanceof URIError) return undefined
    throw cause
  }
}

/** The file of any secret of the store; undefined in an empty store. */
export async function anyFile(home: string): Promise<{ readonly path: string; readonly text: string } | undefined> {
  for await (const { name } of await opendir(secretsFolder(home))) {
    const key = keyOf(name)
    const text = key === undefined ? undefined : await readIfThere(pathOf(home, key))
    if (key !== undefined && text !== undefined) return { path: pathOf(home, key), text }
  }
  return undefined
}

/** Makes the folders. bad_config when the home or a part of its path is a file. */
export async function makeFolders(home: string): Promise<void> {
  try {
    await mkdir(secretsFolder(home), { recursive: true, mode: 0o700 })
    await chmod(home, 0o700)
  } catch (cause) {
    const code = systemCodeOf(cause)
    if (code === 'ENOTDIR' || code === 'EEXIST') throw folderError(home)
    throw cause
  }
}

/** Makes a bad_config error: the home, or a part of its path, is a file. */
export const folderError = (home: string): RotationError =>
  new RotationError('bad_config', `${home} is not a folder.`, {
    field: 'KEYTURN_HOME',
    next: 'Name another folder with --home or KEYTURN_HOME.',
  })

/** The text of a file; undefined where the file does not exist. Only ENOENT means absent: every other failure is thrown. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return undefined
    throw cause
  }
}

/**
 * Writes a file so that it is the old one or the new one, and never a half: a draft beside it is synced and renamed over it, and the folder is synced.
 * The lock is held, so one name for drafts is enough.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = join(dirname(path), `.draft-${path.slice(dirname(path).length + 1)}`)
  try {
    const file = await open(draft, 'w', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (cause) {
    await dropDraft(draft)
    throw explained(cause, path)
  }
  await syncFolder(dirname(path))
}

/** Makes the names in a folder durable: without this a power cut can undo a rename. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function dropDraft(draft: string): Promise<void> {
  try {
    await unlink(draft)
  } catch (cause) {
    if (!['ENOENT', 'EROFS', 'EACCES', 'EPERM'].includes(systemCodeOf(cause) ?? '')) throw cause // otherwise the first error is the one to report
  }
}

function explained(cause: unknown, path: string): unknown {
  const code = systemCodeOf(cause)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new RotationError('unavailable', `The disk is full: ${path} was not written and is unchanged.`, {
      cause,
      next: 'Make room, then run the same command again.',
    })
  }
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    const next = 'Mount it writable, or run as the user that owns it; then run the same command again.'
    return new RotationError('denied', `${path} cannot be written (${code}); it is unchanged.`, { cause, next })
  }
  return cause
}
