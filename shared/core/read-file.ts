import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { UnfitFileError } from './disk-error.js'

const chunkBytes = 65_536
/** Opening a pipe that nobody writes to would wait without end. A regular file is read as ever. */
const flags = constants.O_RDONLY | constants.O_NONBLOCK

/** Opens a regular file for reading; the caller closes it. UnfitFileError for a pipe, a device and the like; the errors of the system. */
export async function openRegular(path: string): Promise<FileHandle> {
  const file = await open(path, flags)
  try {
    assertRegular(await file.stat())
    return file
  } catch (cause) {
    await file.close()
    throw cause
  }
}

/** Reads a regular file, and refuses what is longer than it may be. UnfitFileError, or the error of the system. */
export async function readRegular(path: string, bytesMax: number): Promise<string> {
  const file = await openRegular(path)
  try {
    assertLength((await file.stat()).size, bytesMax)
    const chunks: Buffer[] = []
    for (let bytes = 0; ; ) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(chunkBytes))
      if (bytesRead === 0) return Buffer.concat(chunks).toString('utf8')
      chunks.push(buffer.subarray(0, bytesRead))
      bytes += bytesRead
      assertLength(bytes, bytesMax)
    }
  } finally {
    await file.close()
  }
}

/** The same at once, for what is read while a process starts. */
export function readRegularSync(path: string, bytesMax: number): string {
  const file = openSync(path, flags)
  try {
    const found = fstatSync(file)
    assertRegular(found)
    assertLength(found.size, bytesMax)
    const chunks: Buffer[] = []
    for (let bytes = 0; ; ) {
      const chunk = Buffer.alloc(chunkBytes)
      const read = readSync(file, chunk)
      if (read === 0) return Buffer.concat(chunks).toString('utf8')
      chunks.push(chunk.subarray(0, read))
      bytes += read
      assertLength(bytes, bytesMax)
    }
  } finally {
    closeSync(file)
  }
}

/** UnfitFileError for what holds no content of its own. A folder passes: the call that follows says that it is one. */
export function assertRegular(found: Stats): void {
  if (!found.isFile() && !found.isDirectory()) throw new UnfitFileError('it is not a regular file')
}

/** The size that the system tells may be wrong, as under /proc, so what was read is asked too. */
function assertLength(bytes: number, bytesMax: number): void {
  if (bytes > bytesMax) throw new UnfitFileError(`it has more than ${bytesMax} bytes`)
}
