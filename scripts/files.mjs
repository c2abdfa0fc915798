// Node 20 has no fs.globSync: the files below a folder that end in `ending`, sorted.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export const globSync = (folder, ending) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
    : []
