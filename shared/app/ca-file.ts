import { closeSync, openSync, readSync } from 'node:fs'
import { diskError } from '../core/disk-error.js'
import { messageOf, systemCodeOf } from '../core/errors.js'

/** Many times the list of a browser: what is longer, or endless, is not a list of authorities. */
const bytesMax = 16 * 1024 * 1024

/** Reads the PEM text of KEYTURN_CA_FILE. Problems with it are added to `problems`. */
export function readCa(path: string | undefined, problems: string[]): string | undefined {
  if (!path) return undefined
  try {
    const text = readText(path)
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text
    problems.push(`KEYTURN_CA_FILE ${path} holds no certificate in PEM form`)
  } catch (cause) {
    if (systemCodeOf(cause) === undefined) throw cause
    problems.push(`KEYTURN_CA_FILE ${messageOf(diskError(cause, { path, tried: 'read' })).replace(/\.$/, '')}`)
  }
  return undefined
}

/** At most the limit and one chunk. The file may be a pipe. */
function readText(path: string): string {
  const file = openSync(path, 'r')
  try {
    const chunks: Buffer[] = []
    for (let bytes = 0; bytes <= bytesMax; ) {
      const chunk = Buffer.alloc(65_536)
      const read = readSync(file, chunk)
      if (read === 0) return Buffer.concat(chunks).toString('utf8')
      chunks.push(chunk.subarray(0, read))
      bytes += read
    }
    return ''
  } finally {
    closeSync(file)
  }
}
