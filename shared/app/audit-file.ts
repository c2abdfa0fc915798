import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Env } from '../core/ports/env.js'
import type { AuditRecord, AuditSink } from '../lifecycle/guard/index.js'
import { withLock } from '../stores/file/lock.js'

const start = 'start'
const tailBytes = 65_536
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A record as it stands in the file: each names the hash of the one before, so that a line that is changed or taken out shows. */
function chained(record: AuditRecord, prev: string): { readonly line: string; readonly hash: string } {
  const body = JSON.stringify({ ...record, prev })
  const hash = hashOf(body)
  return { line: `${body.slice(0, -1)},"hash":"${hash}"}\n`, hash }
}

const form = /^(\{.*"prev":"([0-9a-f]{64}|start)"),"hash":"([0-9a-f]{64})"\}$/s

const writeStderr = (text: string): void => void process.stderr.write(text)

/** JSON lines, appended and synced under a lock: a record that write() answered is on disk. `stderr` gives them to `writeError` instead, chained within the process. */
export function auditSink(path: string, env: Env, writeError = writeStderr): AuditSink {
  if (path === 'stderr') {
    let prev = start
    return {
      write: async (record) => {
        const { line, hash } = chained(record, prev)
        prev = hash
        writeError(line)
      },
    }
  }
  return {
    write: (record) =>
      withLock(`${path}.lock`, env, async () => {
        const file = await open(path, 'a+', 0o600)
        try {
          const { prev, torn } = await lastHash(file)
          await file.appendFile(`${torn ? '\n' : ''}${chained(record, prev).line}`)
          await file.datasync()
        } finally {
          await file.close()
        }
      }),
  }
}

/** Of the last whole line; a line that a killed process left half is not gone on with. */
async function lastHash(file: FileHandle): Promise<{ readonly prev: string; readonly torn: boolean }> {
  const { size } = await file.stat()
  const bytes = Buffer.alloc(Math.min(size, tailBytes))
  await file.read(bytes, 0, bytes.length, size - bytes.length)
  const text = bytes.toString('utf8')
  const whole = text.split('\n').filter((line) => form.test(line))
  return { prev: form.exec(whole.at(-1) ?? '')?.[3] ?? start, torn: size > 0 && !text.endsWith('\n') }
}

/** What a reading of the whole log found; `records` counts the lines that have the form of a record, changed or not. */
export interface AuditCheck {
  readonly records: number
  /** Lines that a killed process left half. */
  readonly torn: number
  /** Line numbers, from 1, that were changed, or before which something is missing. */
  readonly broken: readonly number[]
  /** The last record's hash: kept elsewhere, it shows later whether the end was cut off. */
  readonly head: string | null
}

/** Reads the whole file once, in constant memory. `expected`: a head that was kept elsewhere must still be there. */
export async function checkAudit(path: string, expected?: string): Promise<AuditCheck & { readonly expectedFound: boolean }> {
  let [records, torn, prev, line, head, found] = [0, 0, start, 0, null as string | null, expected === undefined]
  const broken: number[] = []
  for await (const text of createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })) {
    line++
    if (text === '') continue
    const match = form.exec(text)
    if (match === null) {
      if (text.startsWith('{') && !text.endsWith('}')) torn++
      else broken.push(line)
      continue
    }
    const [, body = '', before, hash = ''] = match
    if (hashOf(`${body}}`) !== hash || before !== prev) broken.push(line)
    records++
    prev = hash
    head = hash
    if (hash === expected) found = true
  }
  return { records, torn, broken, head, expectedFound: found }
}
