// Lists the files below a folder whose names end in `ending`, sorted. Node 20 has no fs.globSync.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export const globSync = (folder, ending) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
    : []
