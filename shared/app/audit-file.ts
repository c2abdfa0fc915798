import { createHash } from 'node:crypto'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { onDisk } from '../core/disk-error.js'
import { systemCodeOf } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import { assertRegular } from '../core/read-file.js'
import type { AuditRecord, AuditSink } from '../lifecycle/guard/index.js'
import { syncFolder } from '../stores/file/disk.js'
import { withLock } from '../stores/file/lock.js'

/** Stands where the first line has no line before it. */
export const start = 'start'
const auditField = 'KEYTURN_AUDIT'
const tailBytes = 65_536
/** The hash of a line. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Makes the line of a record. Each line names the hash of the line before, so that a changed or removed line shows. */
function chained(record: AuditRecord, prev: string): { readonly line: string; readonly hash: string } {
  const body = JSON.stringify({ ...record, prev })
  const hash = hashOf(body)
  return { line: `${body.slice(0, -1)},"hash":"${hash}"}\n`, hash }
}

/** What a line of the log looks like: its content, the hash of the line before, and its own hash. */
export const lineForm = /^(\{.*"prev":"([0-9a-f]{64}|start)"),"hash":"([0-9a-f]{64})"\}$/s

/** Resolves when the text is written. */
export type WriteText = (text: string) => Promise<void>
const writeStderr = writerOf(process.stderr)

/** Writes to a stream, and rejects with its error. */
export function writerOf(stream: Writable): WriteText {
  return (text) => new Promise((resolve, reject) => stream.write(text, (cause) => (cause ? reject(cause) : resolve())))
}

/**
 * Appends and syncs JSON lines under a lock: once write() returns the record is on disk. denied and the like where it is not; then no part of it is
 * left. With the path `stderr` they go to `writeError` instead, chained within the process.
 */
export function auditSink(path: string, env: Env, writeError = writeStderr): AuditSink {
  if (path === 'stderr') return chainedSink(writeError)
  const lock = { folder: `${path}.lock`, of: `The audit log ${path}`, field: auditField }
  const use = { path, tried: 'written', field: auditField } as const
  return {
    write: async (record) => {
      const isThere = await onDisk(use, () => isLog(path)) // before its lock: a device has none
      const made = isThere ? use : { ...use, folder: dirname(path) }
      await withLock(lock, env, () => onDisk(made, () => appendRecord(path, record)))
    },
  }
}

/** Whether the log is there. UnfitFileError for what is not a regular file. */
async function isLog(path: string): Promise<boolean> {
  try {
    assertRegular(await stat(path))
    return true
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return false
    throw cause
  }
}

async function appendRecord(path: string, record: AuditRecord): Promise<void> {
  const file = await open(path, 'a+', 0o600)
  try {
    const { size, prev, torn, isNew } = await lastHash(file)
    if (isNew) await syncFolder(dirname(path)) // without its name a power cut would take the records along
    await append(file, `${torn ? '\n' : ''}${chained(record, prev).line}`, size)
    await file.datasync()
  } finally {
    await file.close()
  }
}

function chainedSink(write: WriteText): AuditSink {
  let prev = start
  return {
    write: async (record) => {
      const { line, hash } = chained(record, prev)
      await onDisk({ path: 'stderr', tried: 'written', field: auditField }, () => write(line))
      prev = hash
    },
  }
}

/** Appends all of the text or nothing: a full disk takes the first part of it. */
async function append(file: FileHandle, text: string, sizeBefore: number): Promise<void> {
  try {
    await file.appendFile(text)
  } catch (cause) {
    await file.truncate(sizeBefore).catch(() => undefined) // half a line is known as such, and the first error is the one to report
    throw cause
  }
}

interface LogEnd {
  readonly size: number
  readonly prev: string
  readonly torn: boolean
  readonly isNew: boolean
}

/** The hash of the last complete line. The chain does not continue from a line that a killed process left incomplete. */
async function lastHash(file: FileHandle): Promise<LogEnd> {
  const { size } = await file.stat()
  const bytes = Buffer.alloc(Math.min(size, tailBytes))
  await file.read(bytes, 0, bytes.length, size - bytes.length)
  const text = bytes.toString('utf8')
  const whole = text.split('\n').filter((line) => lineForm.test(line))
  return { size, prev: lineForm.exec(whole.at(-1) ?? '')?.[3] ?? start, torn: size > 0 && !text.endsWith('\n'), isNew: size === 0 }
}
