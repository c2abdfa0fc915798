import { link, mkdir, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RotationError, systemCodeOf } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import { lifeOf, type ProcessIdentity, thisProcess } from './process.js'

/**
 * Mutual exclusion on one machine. Node offers no lock call of the system, so the lock is a folder of numbered files, and the highest number counts.
 * A process that wants the lock makes the next number by link(2), which only one process can do. The number of a dead owner is followed by the next
 * one and never removed, so two processes that both saw it dead cannot both win. A number is deleted only when two higher ones exist, so a listing
 * that was made while numbers changed never looks empty.
 */
const waitMsMax = 30_000
const litterMsMin = 60_000
const name = (generation: number): string => String(generation).padStart(12, '0')

interface Entry {
  readonly owner?: ProcessIdentity // absent: given back
}

/** Runs `act` while no other process holds the lock, and gives the lock back. locked after 30 seconds of waiting; held where the wait is interrupted. */
export async function withLock<T>(folder: string, env: Env, act: () => Promise<T>): Promise<T> {
  const generation = await acquire(folder, env)
  try {
    return await act()
  } finally {
    await put(folder, env, {}, (from) => rename(from, join(folder, name(generation))))
  }
}

async function acquire(folder: string, env: Env): Promise<number> {
  const giveUpAt = env.now() + waitMsMax
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (;;) {
    const top = Math.max(0, ...(await generations(folder)))
    const entry = top === 0 ? {} : await readEntry(join(folder, name(top)))
    const life = entry?.owner ? lifeOf(entry.owner) : 'dead'
    if (entry !== undefined && life === 'dead' && (await take(folder, top + 1, env))) {
      await tidy(folder, top + 1, env)
      return top + 1
    }
    if (env.now() >= giveUpAt) throw lockError(folder, top, entry, life)
    if (env.cancelled.aborted)
      throw new RotationError('held', 'Interrupted while waiting for the lock of the file store.', { next: 'Run the same command again.' })
    await env.sleep(2 + (env.random(1)[0] ?? 0) / 16)
  }
}

const generations = async (folder: string): Promise<readonly number[]> =>
  (await readdir(folder)).filter((file) => /^\d{12}$/.test(file)).map(Number)

/**
 * Reads an entry; undefined where it was followed by others and deleted meanwhile. The content is written before the name, so only a machine that lost
 * power leaves half an entry, and nobody holds that.
 */
async function readEntry(path: string): Promise<Entry | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Entry
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return undefined
    if (cause instanceof SyntaxError) return {}
    throw cause
  }
}

async function take(folder: string, generation: number, env: Env): Promise<boolean> {
  try {
    await put(folder, env, { owner: thisProcess() }, (from) => link(from, join(folder, name(generation))))
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

function lockError(folder: string, top: number, entry: Entry | undefined, life: string): RotationError {
  const who = entry?.owner ? `process ${entry.owner.pid} on ${entry.owner.host}` : 'another process'
  const next =
    life === 'unknown'
      ? `It runs on another machine or in another container, so nobody here can tell whether it is alive. If you know that it is not, delete ${join(folder, name(top))}.`
      : 'Wait until it is done, then run the same command again.'
  return new RotationError('locked', `The file store is locked by ${who}.`, { next })
}
