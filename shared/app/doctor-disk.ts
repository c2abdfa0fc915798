import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { counted } from '../core/counted.js'
import { diskCodeOf, diskError, onDisk } from '../core/disk-error.js'
import { RotationError } from '../core/errors.js'
import { hasName, lockFolder, secretsFolder } from '../stores/file/disk.js'
import { othersMayWrite } from '../stores/file/home.js'
import { checkAudit } from './audit-check.js'
import type { Config } from './config.js'
import { type Finding, good, wrong } from './finding.js'

const { R_OK, W_OK, X_OK } = constants
const homeField = 'KEYTURN_HOME'
const auditField = 'KEYTURN_AUDIT'

/** Checks the folders of a file store: its owner can write, nobody else may, nobody else may read, and there is room. */
export async function* inspectFolders({ home, key, keyFile }: Config): AsyncIterable<Finding> {
  const found = await permissions(home, R_OK | W_OK | X_OK)
  yield found
  if (!key) yield await permissions(keyFile, R_OK)
  if (found.level !== 'good') return
  for (const path of [secretsFolder(home), lockFolder(home)]) yield* ifWrong(path, () => assertUsable(path, homeField))
  yield* ifWrong(home, () => assertRoom(home, homeField))
}

async function permissions(path: string, mode: number): Promise<Finding> {
  try {
    const found = await stat(path)
    await access(path, mode)
    const others = othersMayWrite(path, found)
    if (others !== undefined) return { what: path, level: 'wrong', ...others }
    if ((found.mode & 0o077) === 0) return good(path, 'only its owner may read it')
    const says = `others may read it (mode ${(found.mode & 0o777).toString(8)})`
    return { what: path, level: 'wrong', says, next: `Run chmod go= ${path}.` }
  } catch (cause) {
    const missing = { code: 'bad_config', next: 'Run keyturn init, or name the folder with --home or KEYTURN_HOME.' } as const
    return wrong(path, diskError(cause, { path, tried: 'used', misnamed: missing }))
  }
}

async function* ifWrong(what: string, check: () => Promise<unknown>): AsyncIterable<Finding> {
  try {
    await check()
  } catch (cause) {
    yield wrong(what, cause)
  }
}

/** Checks the chain of the audit log, and that the next record can be written: without it no change happens. */
export async function inspectAudit({ audit: path }: Config): Promise<Finding> {
  if (path === 'stderr') return good('audit log', 'goes to stderr')
  const use = { path, tried: 'written', field: auditField } as const
  try {
    const checked = await onDisk(use, () => checkedLog(path))
    const folder = dirname(path)
    const isFolderThere = await assertUsable(folder, auditField, checked !== undefined)
    await assertUsable(`${path}.lock`, auditField)
    await assertRoom(folder, auditField)
    if (checked === undefined) return good(path, isFolderThere ? 'no record yet' : 'no record yet: its folder is made with the first one')
    await onDisk(use, () => access(path, R_OK | W_OK))
    if (checked.broken.length === 0) return good(path, `${counted(checked.records, 'record')}, none changed`)
    const says = `line ${checked.broken[0]} was changed, or a line before it is missing`
    return { what: path, level: 'wrong', says, next: 'Run keyturn audit verify, and compare the log with a backup.' }
  } catch (cause) {
    const found = wrong(path, cause)
    return { ...found, says: `${found.says} No change is possible.` }
  }
}

/** undefined where there is no log yet. */
async function checkedLog(path: string): Promise<Awaited<ReturnType<typeof checkAudit>> | undefined> {
  try {
    return await checkAudit(path)
  } catch (cause) {
    if (diskCodeOf(cause) === 'ENOENT') return undefined
    throw cause
  }
}

/**
 * Whether the folder is there. It fails where this user may not use it (`readOnly`: not even enter it), or may not make it in the nearest folder above
 * that is there.
 */
async function assertUsable(path: string, field: string, readOnly = false): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      // With the dot, what is not a folder fails.
      await access(`${folder}/.`, folder === path ? (readOnly ? X_OK : R_OK | W_OK | X_OK) : W_OK | X_OK)
      return folder === path
    } catch (cause) {
      const isAbsent = diskCodeOf(cause) === 'ENOENT' && folder !== dirname(folder) && !(await hasName(folder))
      if (isAbsent) continue
      const use = folder === path ? ({ path, tried: 'used' } as const) : ({ path, tried: 'made', folder } as const)
      throw diskError(cause, { ...use, field })
    }
  }
}

/** Some file systems tell no sizes; of those nothing is said. */
async function assertRoom(path: string, field: string): Promise<void> {
  const { blocks, bfree, bavail, files, ffree } = await statfs(await nearest(path))
  const free = process.geteuid?.() === 0 ? bfree : bavail
  const isFull = (blocks > 0 && free === 0) || (files > 0 && ffree === 0)
  if (!isFull) return
  throw new RotationError('unavailable', `The disk of ${path} is full.`, { field, next: 'Make room, then run the same command again.' })
}

async function nearest(path: string): Promise<string> {
  return (await hasName(path)) || path === dirname(path) ? path : nearest(dirname(path))
}
