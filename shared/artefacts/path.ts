import { rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type DiskUse, diskCodeOf, diskError } from '../core/disk-error.js'
import { RotationError, systemCodeOf } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { Artefact } from '../core/ports/artefact.js'
import { readRegular } from '../core/read-file.js'

/**
 * A file that others read. `rename`: a reader finds the old or the new file, always complete. `plain`: the file is written in place, for a file that is
 * mounted by itself and cannot be replaced.
 */
export function pathArtefact(file: string, write: 'rename' | 'plain', name: string): Artefact {
  const field = `companions.${name}.at`
  return {
    publish: async (text, { env, write: recorded }) => {
      const wanted = String(text)
      let use: DiskUse = { path: file, tried: 'written', field, misnamed }
      try {
        if ((await present(file)) === wanted) return 'same'
        if (write === 'rename') use = { ...use, folder: dirname(file) }
        await recorded(async () => {
          if (write === 'plain') await writeFile(file, wanted, { mode: 0o644, flush: true })
          else await replace(file, wanted, Buffer.from(env.random(6)).toString('hex'))
        })
        return 'written'
      } catch (cause) {
        throw deliveryError(diskError(thrownBy(cause), use))
      }
    },
  }
}

/** What the system threw: the guard around the write has put an error of ours over it. */
const thrownBy = (cause: unknown): unknown =>
  cause instanceof RotationError && diskCodeOf(cause.cause) !== undefined ? cause.cause : cause

/** Many times what any artefact holds. */
const presentBytesMax = 16 * 1024 * 1024
const misnamed = { code: 'delivery_failed', next: 'Check that the folder exists and that this user may write to it.' } as const

/** A full or broken disk is a delivery that failed, like any other that may succeed later. */
function deliveryError(cause: unknown): unknown {
  if (!(cause instanceof RotationError) || cause.code !== 'unavailable') return cause
  return new RotationError('delivery_failed', cause.message, { next: cause.next, cause, ...optional('field', cause.field) })
}

async function present(file: string): Promise<string | undefined> {
  try {
    return await readRegular(file, presentBytesMax)
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return undefined
    throw cause
  }
}

/** In the same folder: a rename across file systems would copy. */
async function replace(file: string, text: string, chance: string): Promise<void> {
  const beside = `${file}.${chance}`
  try {
    await writeFile(beside, text, { mode: 0o644, flush: true, flag: 'wx' })
    await rename(beside, file)
  } catch (cause) {
    await rm(beside, { force: true })
    throw cause
  }
}
