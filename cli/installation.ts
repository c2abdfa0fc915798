import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import about from '../package.json' with { type: 'json' }

/** The folder that this program was installed in: the nearest one above with its package.json. A bundle may be any number of folders below. */
export function installation(folder = dirname(fileURLToPath(import.meta.url))): string {
  if (nameIn(folder) === about.name) return folder
  if (dirname(folder) === folder) throw new Error('This program is not in its installation.')
  return installation(dirname(folder))
}

function nameIn(folder: string): unknown {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { readonly name?: unknown }).name
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}
