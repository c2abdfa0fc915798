import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { systemCodeOf } from '../../core/errors.js'

/** One process on one machine. A later process with the same number is not mistaken for it. */
export interface ProcessIdentity {
  readonly host: string
  /** The boot and the namespace to which `pid` belongs; empty where the system does not tell them. */
  readonly space: string
  readonly pid: number
  readonly startedAt: string
}

/** Every other failure is thrown: a process that cannot open a file now must not take a living owner for a dead one. */
const gone = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'ENOTDIR', 'EINVAL']

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    if (gone.includes(systemCodeOf(cause) ?? '')) return '' // missing, or not readable for us: the other checks decide
    throw cause
  }
}

function namespace(): string {
  if (process.platform !== 'linux') return ''
  try {
    return `${readText('/proc/sys/kernel/random/boot_id')} ${readlinkSync('/proc/self/ns/pid')}`
  } catch (cause) {
    if (gone.includes(systemCodeOf(cause) ?? '')) return readText('/proc/sys/kernel/random/boot_id')
    throw cause
  }
}

/** State letter and start time, as the system gives them; undefined where it gives none. */
function lookUp(pid: number): { readonly state: string; readonly startedAt: string } | undefined {
  if (process.platform === 'linux') {
    const stat = readText(`/proc/${pid}/stat`) // 4242 (a name with ) and blanks) S 1 … ; field 22 is the start in ticks since boot
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields.length > 19 ? { state: fields[0] ?? '', startedAt: fields[19] ?? '' } : undefined
  }
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    }).trim()
    const space = line.indexOf(' ')
    return { state: line.slice(0, space), startedAt: line.slice(space).trim() }
  } catch (cause) {
    if (cause instanceof Error) return undefined // ps ends with 1 when there is no such process
    throw cause
  }
}

let own: ProcessIdentity | undefined
/** Looks up this process on the first call, and returns the same from then on. */
export function thisProcess(): ProcessIdentity {
  own ??= { host: hostname(), space: namespace(), pid: process.pid, startedAt: lookUp(process.pid)?.startedAt ?? '' }
  return own
}

/** Whether a process is alive. unknown: it is on another machine or in another process namespace, where our numbers mean nothing. */
export function lifeOf(other: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  const self = thisProcess()
  if (other.host !== self.host) return 'unknown'
  if (other.space !== self.space) return bootOf(other) !== bootOf(self) ? 'dead' : 'unknown'
  try {
    process.kill(other.pid, 0)
  } catch (cause) {
    if (systemCodeOf(cause) === 'ESRCH') return 'dead'
    if (systemCodeOf(cause) !== 'EPERM') throw cause // EPERM: the process exists, and belongs to another user
  }
  const there = lookUp(other.pid)
  if (there === undefined) return 'alive'
  return there.startedAt !== other.startedAt || /^[ZX]/.test(there.state) ? 'dead' : 'alive'
}

/** Whether a process of this machine is stopped (`kill -STOP`, Ctrl-Z): it lives, and does nothing until somebody continues it. */
export const isStopped = (other: ProcessIdentity): boolean => /^[Tt]/.test(lookUp(other.pid)?.state ?? '')

/** The boot in which a process ran. After a restart of the machine all earlier processes are gone. */
const bootOf = ({ space }: ProcessIdentity): string => space.split(' ')[0] ?? ''
