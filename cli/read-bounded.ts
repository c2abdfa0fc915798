import { constants, createReadStream, fstatSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { addAbortSignal, type Readable } from 'node:stream'
import { isatty, ReadStream } from 'node:tty'
import { type DiskUse, diskError, onDisk } from '../shared/core/disk-error.js'
import { RotationError } from '../shared/core/errors.js'

/** A value may be followed by one line end, which is not part of it. */
const lineEndBytes = 2

const unreadable = { code: 'bad_event', next: 'Name a readable file, or give the value on stdin.' } as const
const unreadableStdin = { code: 'bad_event', next: 'Open stdin for reading, or name a file with --file.' } as const

/** Reads a stream to its end, and no further than a value may be long: what is endless ends here, too. too_large; the reason of `cancelled`. */
export const readStream = (stream: Readable, bytesMax: number, cancelled: AbortSignal): Promise<Uint8Array> =>
  boundedBytes(addAbortSignal(cancelled, stream), bytesMax, { path: 'stdin', tried: 'read', field: 'value', misnamed: unreadableStdin })

async function boundedBytes(stream: AsyncIterable<Buffer>, bytesMax: number, use: DiskUse): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of stream) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > bytesMax + lineEndBytes) throw tooLargeError(bytesMax)
    }
  } catch (cause) {
    throw diskError(cause, use)
  }
  return Buffer.concat(chunks)
}

/**
 * The same for a file, which may be a pipe or a device, and is waited for. bad_event where the path is wrong, denied and the like where the system
 * refuses it.
 */
export async function readBounded(path: string, bytesMax: number, cancelled: AbortSignal): Promise<Uint8Array> {
  const use = { path, tried: 'read', field: 'file', misnamed: unreadable } as const
  return boundedBytes(await onDisk(use, async () => openInput(path, cancelled)), bytesMax, use)
}

/**
 * Opens a file that is named on the command line, which may be a pipe or a device. `cancelled` ends the stream with an error. A pipe and a terminal
 * are read by the event loop: a call of the system that waits for their writer would outlast every signal.
 */
export function openInput(path: string, cancelled: AbortSignal): Readable {
  return addAbortSignal(cancelled, streamOf(path))
}

function streamOf(path: string): Readable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const found = fstatSync(fd)
  if (found.isFIFO()) return new Socket({ fd, readable: true, writable: false })
  return isatty(fd) ? new ReadStream(fd) : createReadStream(path, { fd })
}

/** Says that more was given than the store takes. */
export const tooLargeError = (bytesMax: number): RotationError =>
  new RotationError('too_large', `The value has more than ${bytesMax} bytes, which is as much as this store takes. No more was read.`, {
    field: 'value',
    next: 'Shorten it, or keep everything that is not a credential elsewhere.',
  })
