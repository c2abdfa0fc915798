import { link, readdir, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { diskCodeOf, diskError, onDisk } from '../../core/disk-error.js'
import { RotationError, systemCodeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import { readRegular } from '../../core/read-file.js'
import { makeFolder } from './make-folder.js'
import { isStopped, lifeOf, type ProcessIdentity, thisProcess } from './process.js'

/**
 * Mutual exclusion on one machine. Node offers no lock call of the system, so the lock is a folder of numbered files, and the highest number counts.
 * A process that wants the lock makes the next number by link(2), which only one process can do. The number of a dead owner is followed by the next
 * one and never removed, so two processes that both saw it dead cannot both win. A number is deleted only when two higher ones exist, so a listing
 * that was made while numbers changed never looks empty.
 */
const waitMsMax = 30_000
/** After an interrupt, for what is recorded and given back before the end: an owner at work is done within this time. */
const lastWaitMsMax = 2000
const entryBytesMax = 65_536
const litterMsMin = 60_000
const name = (generation: number): string => String(generation).padStart(12, '0')

/** An empty entry was given back. */
interface Entry {
  readonly owner?: ProcessIdentity
  /** Tells apart what one process took, and what it holds still. */
  readonly id?: number
}
/** What this process holds. An entry that names it and is not here could not be given back, because the disk failed: nobody holds that. */
const held = new Set<number>()
let taken = 0

/** The folder of a lock, what it protects, as an error names it (`The audit log /var/log/audit.jsonl`), and the setting that named this. */
export interface Lock {
  readonly folder: string
  readonly of: string
  readonly field?: string
}

/**
 * Runs `act` while no other process holds the lock, and gives the lock back. locked after 30 seconds of waiting; held where the wait is interrupted.
 * denied and the like where the folder cannot be used. What `act` returns or throws is what counts, even where the lock cannot be given back.
 */
export async function withLock<T>(lock: Lock, env: Env, act: () => Promise<T>): Promise<T> {
  const id = ++taken
  held.add(id)
  try {
    const generation = await onDisk({ path: lock.folder, tried: 'used', ...optional('field', lock.field) }, () => acquire(lock, env, id))
    try {
      return await act()
    } finally {
      await giveBack(join(lock.folder, name(generation)), env)
    }
  } finally {
    held.delete(id)
  }
}

/** Empties the entry, which needs no room on the disk. Where even that fails, the next of this process knows it by `held`, and others by its end. */
async function giveBack(path: string, env: Env): Promise<void> {
  try {
    await truncate(path)
  } catch (cause) {
    const code = diskCodeOf(cause)
    if (code === undefined) throw cause
    env.log('lock_not_released', { path, code })
  }
}

async function acquire(lock: Lock, env: Env, id: number): Promise<number> {
  const { folder, of } = lock
  let giveUpAt = env.now() + waitMsMax
  await makeFolder(folder, lock.field)
  for (;;) {
    const top = Math.max(0, ...(await generations(folder)))
    const entry = top === 0 ? {} : await readEntry(join(folder, name(top)), lock)
    const life = entry === undefined ? 'unknown' : ownerLife(entry)
    if (entry !== undefined && life === 'dead' && (await take(folder, top + 1, { owner: thisProcess(), id }, env))) {
      await tidy(folder, top + 1, env)
      return top + 1
    }
    if (env.cancelled.aborted) giveUpAt = Math.min(giveUpAt, env.now() + lastWaitMsMax)
    if (env.now() >= giveUpAt) throw env.cancelled.aborted ? interruptedError(of) : lockError(lock, top, entry, life)
    await env.sleep(2 + (env.random(1)[0] ?? 0) / 16, 'to the end')
  }
}

function ownerLife({ owner, id }: Entry): ReturnType<typeof lifeOf> {
  if (owner === undefined) return 'dead'
  const isOwn = id !== undefined && isDeepStrictEqual(owner, thisProcess())
  return isOwn && !held.has(id) ? 'dead' : lifeOf(owner)
}

const generations = async (folder: string): Promise<readonly number[]> =>
  (await readdir(folder)).filter((file) => /^\d{12}$/.test(file)).map(Number)

/**
 * Reads an entry; undefined where it was followed by others and deleted meanwhile. The content is written before the name, so only a machine that lost
 * power leaves half an entry, and nobody holds that.
 */
async function readEntry(path: string, { field }: Lock): Promise<Entry | undefined> {
  try {
    return JSON.parse(await readRegular(path, entryBytesMax)) as Entry
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return undefined
    if (cause instanceof SyntaxError) return {}
    throw diskError(cause, { path, tried: 'read', ...optional('field', field) })
  }
}

async function take(folder: string, generation: number, entry: Entry, env: Env): Promise<boolean> {
  try {
    await put(folder, env, entry, (from) => link(from, join(folder, name(generation))))
  } catch (cause) {
    if (systemCodeOf(cause) === 'EEXIST') return false
    throw cause
  }
  return Math.max(...(await generations(folder))) === generation // a slow process may have made a number that others had passed long ago
}

/** Makes an entry: its content first, its name after, so that nobody ever reads half an entry. */
async function put(folder: string, env: Env, entry: Entry, into: (from: string) => Promise<void>): Promise<void> {
  const draft = join(folder, `draft-${process.pid}-${Buffer.from(env.random(6)).toString('hex')}`)
  try {
    await writeFile(draft, JSON.stringify(entry), { mode: 0o600, flag: 'wx', flush: true })
    await into(draft)
  } finally {
    await remove(draft)
  }
}

async function tidy(folder: string, generation: number, env: Env): Promise<void> {
  for (const file of await readdir(folder)) {
    const path = join(folder, file)
    const passed = /^\d{12}$/.test(file) && Number(file) < generation - 1
    if (passed || (file.startsWith('draft-') && (await isLitter(path, env)))) await remove(path)
  }
}

/** Whether a draft is litter: a process left it that was killed between the draft and its name. */
async function isLitter(path: string, env: Env): Promise<boolean> {
  try {
    return env.now() - (await stat(path)).mtimeMs > litterMsMin
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return false
    throw cause
  }
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (cause) {
    if (systemCodeOf(cause) !== 'ENOENT') throw cause
  }
}

const interruptedError = (of: string): RotationError =>
  new RotationError('held', `Interrupted while waiting for another process. ${of} is locked.`, { next: 'Run the same command again.' })

function lockError({ folder, of }: Lock, top: number, entry: Entry | undefined, life: string): RotationError {
  const owner = entry?.owner
  const who = owner ? `process ${owner.pid} on ${owner.host}` : 'another process'
  if (life === 'alive' && owner && isStopped(owner)) {
    return new RotationError('locked', `${of} is locked by ${who}, which is stopped.`, {
      next: `Continue that process (kill -CONT ${owner.pid}) or end it, then run the same command again.`,
    })
  }
  const next =
    life === 'unknown'
      ? `It runs on another machine or in another container, so nobody here can tell whether it is alive. If you know that it is not, delete ${join(folder, name(top))}.`
      : 'Wait until it is done, then run the same command again.'
  return new RotationError('locked', `${of} is locked by ${who}.`, { next })
}
