import { diskError } from '../core/disk-error.js'
import { messageOf, RotationError } from '../core/errors.js'
import { readRegularSync } from '../core/read-file.js'

/** Many times the list of a browser: what is longer is not a list of authorities. */
export const caBytesMax = 16 * 1024 * 1024

/** Reads the PEM text of KEYTURN_CA_FILE. Problems with it are added to `problems`. */
export function readCa(path: string | undefined, problems: string[]): string | undefined {
  if (!path) return undefined
  try {
    const text = readRegularSync(path, caBytesMax)
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text
    problems.push(`KEYTURN_CA_FILE ${path} holds no certificate in PEM form`)
  } catch (cause) {
    const explained = diskError(cause, { path, tried: 'read' })
    if (!(explained instanceof RotationError)) throw cause
    problems.push(`KEYTURN_CA_FILE ${messageOf(explained).replace(/\.$/, '')}`)
  }
  return undefined
}
