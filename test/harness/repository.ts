import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

function findRoot(folder: string): string {
  return existsSync(join(folder, 'package-lock.json')) ? folder : findRoot(dirname(folder))
}
/** Where the project's own files are, from whichever built file this is asked. */
export const repository = findRoot(dirname(fileURLToPath(import.meta.url)))
