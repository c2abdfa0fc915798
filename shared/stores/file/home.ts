import type { Stats } from 'node:fs'
import { chmod, readdir, stat } from 'node:fs/promises'
import { diskCodeOf, onDisk } from '../../core/disk-error.js'
import { RotationError } from '../../core/errors.js'
import { lockFolder, secretsFolder } from './disk.js'
import { makeFolder } from './make-folder.js'

const field = 'KEYTURN_HOME'

/** Why somebody else may write a folder, and the next step; undefined where only its owner may, who is this user or root. */
export function othersMayWrite(
  path: string,
  { mode, uid }: Pick<Stats, 'mode' | 'uid'>,
): { readonly says: string; readonly next: string } | undefined {
  const own = process.geteuid?.()
  if (own === undefined) return undefined // this system has no such modes
  if ((mode & 0o022) !== 0) {
    const next = `Look whether everything in it is yours, then run chmod go-w ${path}.`
    return { says: `others may write it (mode ${(mode & 0o777).toString(8)})`, next }
  }
  if (uid === own || uid === 0) return undefined
  return { says: `it belongs to another user (${uid}), who may write it`, next: `Run as that user, or run chown ${own} ${path}.` }
}

/** Refuses a folder that others may write: they could take files away, or put older ones in their place. bad_config. */
async function assertOwn(path: string): Promise<void> {
  const found = othersMayWrite(path, await stat(path))
  if (found !== undefined)
    throw new RotationError('bad_config', `The folder ${path} is not safe: ${found.says}.`, { field, next: found.next })
}

/** Refuses the folders of a store that others may write; those that are not there yet are passed over. bad_config, or denied and the like. */
export async function assertSafeHome(home: string): Promise<void> {
  for (const path of [home, secretsFolder(home), lockFolder(home)]) {
    const isThere = await onDisk({ path, tried: 'used', field }, () => isFolder(path))
    if (isThere) await assertOwn(path)
  }
}

/** bad_config where nobody ran init. */
export async function assertStore(home: string): Promise<void> {
  if (await onDisk({ path: home, tried: 'used', field }, () => isFolder(secretsFolder(home)))) return
  throw new RotationError('bad_config', `There is no file store in ${home}.`, {
    field,
    next: 'Run keyturn init, or name the folder with --home or KEYTURN_HOME.',
  })
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (cause) {
    if (diskCodeOf(cause) === 'ENOENT') return false
    throw cause
  }
}

/** Makes the folders of a store, for their owner alone. An empty folder is made safe; one with content that others may write is refused. bad_config. */
export async function makeFolders(home: string): Promise<void> {
  await onDisk({ path: home, tried: 'made', field }, async () => {
    await makeFolder(home, field)
    if ((await readdir(home)).length > 0) await assertOwn(home)
    await chmod(home, 0o700)
    await assertOwn(home) // chmod does not change whose it is
    await makeFolder(secretsFolder(home), field)
    await assertOwn(secretsFolder(home))
  })
}
