import { open } from 'node:fs/promises'
import type { AuditSink } from '../lifecycle/guard/index.js'

/** JSON lines, appended and synced: a record that write() answered is on disk. `stderr` writes there instead. */
export function auditSink(path: string): AuditSink {
  if (path === 'stderr') return { write: async (record) => void process.stderr.write(`${JSON.stringify(record)}\n`) }
  return {
    write: async (record) => {
      const file = await open(path, 'a', 0o600)
      try {
        await file.appendFile(`${JSON.stringify(record)}\n`)
        await file.datasync()
      } finally {
        await file.close()
      }
    },
  }
}
