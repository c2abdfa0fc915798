import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** False where a program of this name is on the PATH, else why what needs it is skipped. */
export function whyMissing(program: string): string | false {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.some((folder) => isExecutable(join(folder, program))) ? false : `${program} is not installed; test/setup.sh does it`
}
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Only the `script` of util-linux makes a terminal for a command that is given that way; those of macOS and BSD take other flags. */
export function whyNoTerminal(): string | false {
  const missing = whyMissing('script')
  if (missing) return missing
  const version = attempt('script', '--version')
  return version?.includes('util-linux') ? false : 'script is not that of util-linux, which makes a terminal for a test'
}

/** Root may not mount everywhere either: in most containers it may not. */
export function whyNoMount(): string | false {
  if (process.getuid?.() !== 0) return 'only root may mount a small file system'
  const missing = whyMissing('mount')
  if (missing) return missing
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-mount-'))
  const mounted = attempt('mount', '-t', 'tmpfs', 'tmpfs', folder) !== undefined
  if (mounted) attempt('umount', folder)
  rmdirSync(folder)
  return mounted ? false : 'root may not mount a small file system here'
}

/** The output; undefined where it is not there or fails. */
function attempt(program: string, ...words: readonly string[]): string | undefined {
  try {
    return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return undefined
  }
}

/** The command lines of all processes, by /proc where there is one: a small machine has no ps. */
export function commandLines(): readonly string[] {
  if (!existsSync('/proc/self/cmdline')) return (attempt('ps', '-eo', 'args') ?? '').split('\n')
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    } catch {
      return '' // it has ended meanwhile
    }
  })
}

/** Root may write anywhere: as root this acts as a user who may not. */
export async function withoutRights(act: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65534)
  try {
    await act()
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
}
