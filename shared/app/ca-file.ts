import { readFileSync } from 'node:fs'
import { systemCodeOf } from '../core/errors.js'

/** Reads the PEM text of KEYTURN_CA_FILE. Problems with it are added to `problems`. */
export function readCa(path: string | undefined, problems: string[]): string | undefined {
  if (!path) return undefined
  try {
    const text = readFileSync(path, 'utf8')
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text
    problems.push(`KEYTURN_CA_FILE ${path} holds no certificate in PEM form`)
  } catch (cause) {
    problems.push(`KEYTURN_CA_FILE ${path} cannot be read (${systemCodeOf(cause) ?? 'unknown'})`)
  }
  return undefined
}
