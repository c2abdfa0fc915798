import { open } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { diskError, onDisk } from '../shared/core/disk-error.js'
import { RotationError } from '../shared/core/errors.js'

const chunkBytes = 65_536
/** A value may be followed by one line end, which is not part of it. */
const lineEndBytes = 2

/** Reads a stream to its end, and no further than a value may be long: what is endless ends here, too. too_large; the reason of `cancelled`. */
export async function readStream(stream: Readable, bytesMax: number, cancelled: AbortSignal): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of addAbortSignal(cancelled, stream) as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > bytesMax + lineEndBytes) throw tooLargeError(bytesMax)
    }
  } catch (cause) {
    throw diskError(cause, { path: 'stdin', tried: 'read', field: 'value', misnamed: unreadable })
  }
  return Buffer.concat(chunks)
}

/** The same for a file, which may be a pipe or a device. bad_event where the path is wrong, denied and the like where the system refuses it. */
export async function readBounded(path: string, bytesMax: number): Promise<Uint8Array> {
  return onDisk({ path, tried: 'read', field: 'file', misnamed: unreadable }, async () => {
    const file = await open(path)
    try {
      const chunks: Buffer[] = []
      for (let bytes = 0; ; ) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(chunkBytes))
        if (bytesRead === 0) return Buffer.concat(chunks)
        chunks.push(buffer.subarray(0, bytesRead))
        bytes += bytesRead
        if (bytes > bytesMax + lineEndBytes) throw tooLargeError(bytesMax)
      }
    } finally {
      await file.close()
    }
  })
}

const unreadable = { code: 'bad_event', next: 'Name a readable file, or give the value on stdin.' } as const

/** Says that more was given than the store takes. */
export const tooLargeError = (bytesMax: number): RotationError =>
  new RotationError('too_large', `The value has more than ${bytesMax} bytes, which is as much as this store takes. No more was read.`, {
    field: 'value',
    next: 'Shorten it, or keep everything that is not a credential elsewhere.',
  })
