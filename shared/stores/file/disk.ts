import { lstat, open, opendir, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type DiskUse, diskCodeOf, diskError, onDisk } from '../../core/disk-error.js'
import { RotationError, systemCodeOf } from '../../core/errors.js'
import { readRegular } from '../../core/read-file.js'

/** The folder of the secrets, one file for each. */
export const secretsFolder = (home: string): string => join(home, 'secrets')
/** The folder of the lock's numbered files. */
export const lockFolder = (home: string): string => join(home, 'lock')
/** The lock of a store. */
export const lockOf = (home: string) => ({ folder: lockFolder(home), of: `The file store ${home}`, field: 'KEYTURN_HOME' })
/** The file of a secret: `temporal/pg` → `temporal%2Fpg.json`. */
export const pathOf = (home: string, key: string): string => join(secretsFolder(home), `${encodeURIComponent(key)}.json`)
/** Whether a secret may have this name: it must fit into the name of one file, and of its draft, on every file system. */
export const isName = (text: string): boolean => /^[a-z0-9][a-z0-9._/-]{0,99}$/.test(text) && draftOf(pathOf('', text)).length < fileNameMax
const fileNameMax = 250
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
  for await (const name of namesIn(secretsFolder(home))) {
    const key = keyOf(name)
    const text = key === undefined ? undefined : await readIfThere(pathOf(home, key))
    if (key !== undefined && text !== undefined) return { path: pathOf(home, key), text }
  }
  return undefined
}

/** The names of the files in a folder, one by one. */
export async function* namesIn(folder: string): AsyncIterable<string> {
  const use: DiskUse = { path: folder, tried: 'read', field: 'KEYTURN_HOME' }
  const names = (await onDisk(use, () => opendir(folder)))[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done, value } = await onDisk(use, () => names.next())
      if (done) return
      yield value.name
    }
  } finally {
    await names.return?.() // closes the folder where the reader stops early
  }
}

/** Hundreds of values of the greatest length. A longer file is not one that Keyturn wrote. */
const documentBytesMax = 64 * 1024 * 1024

/**
 * The text of a file of the store; undefined where nothing has its name. damaged where that is not a file of a possible length, such as a link that
 * leads nowhere.
 */
export async function readIfThere(path: string): Promise<string | undefined> {
  const next = 'Restore it from a backup. Keyturn left it as it is.'
  return onDisk({ path, tried: 'read', misnamed: { code: 'damaged', next } }, async () => {
    try {
      return await readRegular(path, documentBytesMax)
    } catch (cause) {
      if (systemCodeOf(cause) === 'ENOENT' && !(await hasName(path))) return undefined
      throw cause
    }
  })
}

/** Whether a folder has an entry of this name, even a link that leads nowhere. */
export async function hasName(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return false
    throw cause
  }
}

const draftOf = (path: string): string => `.draft-${basename(path)}`

/**
 * Writes a file so that it is the old one or the new one, and never a half: a draft beside it is synced and renamed over it, and the folder is synced.
 * The lock is held, so one name for drafts is enough. `left`: what is true of the file where the write fails.
 */
export async function replaceFile(path: string, text: string, left = 'It is unchanged.'): Promise<void> {
  const folder = dirname(path)
  const draft = join(folder, draftOf(path))
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
    await unlink(draft).catch(() => undefined) // the first error is the one to report
    throw diskError(cause, { path, tried: 'written', folder, field: 'KEYTURN_HOME', left })
  }
  await confirm(path)
}

/** The new content is in its place already: a failure means that a power cut may undo it, and not that nothing was done. */
async function confirm(path: string): Promise<void> {
  try {
    await syncFolder(dirname(path))
  } catch (cause) {
    const code = diskCodeOf(cause)
    if (code === undefined) throw cause
    throw new RotationError('ambiguous', `${path} was written, but the disk did not confirm it (${code}).`, {
      cause,
      next: 'Run the same command again: it reads the state first.',
    })
  }
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
