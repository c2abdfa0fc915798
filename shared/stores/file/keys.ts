import { hkdfSync } from 'node:crypto'
import type { Stats } from 'node:fs'
import { type FileHandle, open, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { onDisk } from '../../core/disk-error.js'
import { RotationError, systemCodeOf } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import { readRegular } from '../../core/read-file.js'
import { SecretText } from '../../core/secret-text.js'
import { syncFolder } from './disk.js'

/** The keys that are derived from a master key. Nothing is ever encrypted with the master key itself. */
export interface StoreKeys {
  /** Not secret. It tells a wrong key from a damaged file. */
  readonly id: string
  readonly wrap: Buffer
  readonly mac: Buffer
}

const bytesOfKey = 32
const keyFileBytesMax = 4096
const keyFileField = 'KEYTURN_KEY_FILE'

/** Derives the keys by HKDF-SHA256 (RFC 5869), with one label for each purpose. */
export function deriveKeys(master: Buffer): StoreKeys {
  const part = (label: string, bytes: number): Buffer =>
    Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), `keyturn file store ${label}`, bytes))
  return { id: part('id', 8).toString('hex'), wrap: part('wrap', 32), mac: part('mac', 32) }
}

/** Reads a key of 32 bytes, as base64 or as 64 hex digits. bad_config with the place that it came from. */
export function parseKey(text: SecretText, from: string): Buffer {
  const trimmed = text.reveal().trim()
  const bytes = /^[0-9a-f]{64}$/i.test(trimmed) ? Buffer.from(trimmed, 'hex') : Buffer.from(trimmed, 'base64')
  const canonical = /^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed) || /^[0-9a-f]{64}$/i.test(trimmed)
  if (canonical && bytes.length === bytesOfKey) return bytes
  throw new RotationError('bad_config', `${from} does not hold a key of 32 bytes.`, {
    field: from,
    next: 'Give 32 random bytes as base64: openssl rand -base64 32.',
  })
}

/** Reads a key file. bad_config when others than its owner may read it, when it does not exist, and when it is not a regular file or too long. */
export async function readKeyFile(path: string): Promise<Buffer> {
  return onDisk({ path, tried: 'read', field: keyFileField }, async () => {
    try {
      assertPrivate(path, await stat(path))
      return parseKey(new SecretText(await readRegular(path, keyFileBytesMax)), path)
    } catch (cause) {
      const code = systemCodeOf(cause)
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause
      throw new RotationError('bad_config', `There is no key: KEYTURN_KEY is not set and ${path} does not exist.`, {
        field: 'KEYTURN_KEY',
        next: 'Run keyturn init for a new store, or give the key of this one in KEYTURN_KEY.',
      })
    }
  })
}

function assertPrivate(path: string, { mode }: Pick<Stats, 'mode'>): void {
  if ((mode & 0o077) === 0) return
  throw new RotationError('bad_config', `Others may read the key file ${path} (mode ${(mode & 0o777).toString(8)}).`, {
    field: 'key file',
    next: 'Run chmod 600 on it. Everybody who could read it could read every secret of this store, so rotate them, too.',
  })
}

/**
 * Writes a new random key that only its owner may read. exists: an old key is never overwritten, because the values would be lost with it. A file
 * that could not be written whole is taken away again, so that the next attempt does not find a broken key.
 */
export async function createKeyFile(path: string, random: Env['random']): Promise<void> {
  await onDisk({ path, tried: 'written', folder: dirname(path), field: keyFileField }, async () => {
    const file = await openNew(path)
    try {
      await file.writeFile(`${Buffer.from(random(bytesOfKey)).toString('base64')}\n`)
      await file.sync()
    } catch (cause) {
      await unlink(path).catch(() => undefined) // the first error is the one to report
      throw cause
    } finally {
      await file.close()
    }
    await syncFolder(dirname(path)) // it is the only key, so its name must survive a power cut, too
  })
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600)
  } catch (cause) {
    if (systemCodeOf(cause) !== 'EEXIST') throw cause
    await stat(path) // a link that leads nowhere is not a key
    throw new RotationError('exists', `The key file ${path} already exists.`, { cause, next: 'Use the store as it is.' })
  }
}
