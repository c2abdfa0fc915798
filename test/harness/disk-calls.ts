import type { FileHandle } from 'node:fs/promises'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { basename, dirname } from 'node:path'

/** The functions that `import … from 'node:fs/promises'` gives everybody in this process. */
type Disk = Record<'open' | 'rename', (...args: readonly unknown[]) => Promise<unknown>>
const disk = createRequire(import.meta.url)('node:fs/promises') as Disk
const watched = ['write', 'writeFile', 'appendFile', 'sync', 'datasync', 'truncate']

/** What was asked of the disk in a folder while `act` ran, in order: `write db.json`, `sync .`, `rename .draft → db.json`. `.` is the folder. */
export async function diskCalls(folder: string, act: () => Promise<unknown>): Promise<readonly string[]> {
  const calls: string[] = []
  const nameOf = (path: unknown): string | undefined => {
    if (path === folder) return '.'
    return typeof path === 'string' && dirname(path) === folder ? basename(path) : undefined
  }
  const original = { ...disk }
  disk.open = async (...args) => {
    const handle = (await original.open(...args)) as FileHandle
    const name = nameOf(args[0])
    return name === undefined ? handle : recorded(handle, (what) => calls.push(`${shown(what)} ${name}`))
  }
  disk.rename = async (...args) => {
    const result = await original.rename(...args)
    const [from, to] = args.map(nameOf)
    if (from !== undefined || to !== undefined) calls.push(`rename ${from} → ${to}`)
    return result
  }
  syncBuiltinESMExports()
  try {
    await act()
  } finally {
    Object.assign(disk, { open: original.open, rename: original.rename })
    syncBuiltinESMExports()
  }
  return calls
}

const shown = (method: string): string => (/^(writeFile|appendFile)$/.test(method) ? 'write' : method)

/** Notes a call when it has ended: only then it can be relied on. */
function recorded(handle: FileHandle, note: (method: string) => void): FileHandle {
  return new Proxy(handle, {
    get: (target, key) => {
      const member: unknown = Reflect.get(target, key, target)
      if (typeof member !== 'function') return member
      return async (...args: unknown[]) => {
        const result: unknown = await Reflect.apply(member, target, args)
        if (watched.includes(String(key))) note(String(key))
        return result
      }
    },
  })
}
