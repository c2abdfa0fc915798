import { RotationError, systemCodeOf } from './errors.js'
import type { Code } from './ports/errors.js'

/** A path that a call of the system failed on, and what was tried with it. */
export interface DiskUse {
  readonly path: string
  readonly tried: 'read' | 'written' | 'made' | 'used'
  /** The setting or argument that named the path. */
  readonly field?: string
  /** Where the call makes a name: this folder is what permissions are asked of. */
  readonly folder?: string
  /** What is known of the content after the failure: `It is unchanged.` */
  readonly left?: string
  /** The code and the next step where the path itself is wrong, such as a folder where a file belongs; bad_config by default. */
  readonly misnamed?: { readonly code: Code; readonly next: string }
}

/** A file that was opened, and is not what it has to be. diskError says of it what it says of a path that is wrong. */
export class UnfitFileError extends Error {
  override readonly name = 'UnfitFileError'
}

interface Row {
  /** Absent: the path is wrong, and whoever named it knows the code. */
  readonly code?: Code
  readonly why: string
  readonly next?: string
}

const again = 'then run the same command again.'
const permissions = {
  code: 'denied',
  why: 'permission denied',
  next: `Correct its permissions, or run as the user that owns it; ${again}`,
} as const satisfies Row

/** What each error of the system means for a person. */
const rows: Readonly<Record<string, Row>> = {
  EACCES: permissions,
  EPERM: permissions,
  EROFS: { code: 'denied', why: 'its file system is mounted read-only', next: `Mount it writable, ${again}` },
  ENOSPC: { code: 'unavailable', why: 'the disk is full', next: `Make room, ${again}` },
  EDQUOT: { code: 'unavailable', why: 'the disk quota of this user is used up', next: `Make room or raise the quota, ${again}` },
  EFBIG: { code: 'unavailable', why: 'a limit for the size of files is reached', next: `Raise it (ulimit -f), ${again}` },
  EMFILE: { code: 'unavailable', why: 'this process may open no more files', next: `Raise its limit (ulimit -n), ${again}` },
  ENFILE: { code: 'unavailable', why: 'this machine may open no more files', next: `End what opens so many, ${again}` },
  EIO: { code: 'unavailable', why: 'the disk failed', next: `Look into the log of the system and check the disk, ${again}` },
  ENOENT: { why: 'it does not exist' },
  ENOTDIR: { why: 'it or a part of its path is not a folder' },
  EEXIST: { why: 'something else is in its place' },
  ENXIO: { why: 'it is a socket, or a device that is not there' },
  EBADF: { why: 'it is not open for that' },
  EISDIR: { why: 'it is a folder' },
  ELOOP: { why: 'its symbolic links go round in a circle' },
  ENAMETOOLONG: { why: 'its path is too long' },
}
const misnamedUsual = { code: 'bad_config', next: `Correct the path, ${again}` } as const

/** What an error of the system that has no row means: nobody knows whether it passes. */
const unknown = (system: string): Row => ({
  code: 'unavailable',
  why: 'the system refused it',
  next: `Look up ${system} for this file system, ${again}`,
})

/** What it means where a name was to be made in a folder: that one refuses it, or is not there. */
function inFolder(system: string, row: Row, folder: string | undefined): Row {
  if (folder === undefined) return row
  if (system === 'ENOENT') return { why: `the folder ${folder} does not exist` }
  if (row !== permissions) return row
  const next = `Correct the permissions of ${folder} and of the folders above it, or run as the user that owns it; ${again}`
  return { ...permissions, why: `permission denied in ${folder}`, next }
}

/** The error code of a failed call of the system (`EACCES`); undefined for every other error, Node's own codes (`ERR_…`) included. */
export function diskCodeOf(cause: unknown): string | undefined {
  const code = systemCodeOf(cause)
  return code !== undefined && /^E[A-Z0-9]+$/.test(code) ? code : undefined
}

/** Explains a failed call of the system, and an unfit file: its path, why, and the next step. Any other error is returned as it is. */
export function diskError(cause: unknown, { path, tried, field, folder, left, misnamed = misnamedUsual }: DiskUse): unknown {
  const system = diskCodeOf(cause)
  const row = cause instanceof UnfitFileError ? { why: cause.message } : system && inFolder(system, rows[system] ?? unknown(system), folder)
  if (cause instanceof RotationError || !row) return cause
  const { code, why, next }: Required<Row> = { ...misnamed, ...row }
  const said = `${path} cannot be ${tried}: ${why}${system === undefined ? '' : ` (${system})`}.`
  return new RotationError(code, left === undefined ? said : `${said} ${left}`, { cause, next, ...(field === undefined ? {} : { field }) })
}

/** Runs `act`, and explains a failed call of the system in it. */
export async function onDisk<T>(use: DiskUse, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    throw diskError(cause, use)
  }
}
