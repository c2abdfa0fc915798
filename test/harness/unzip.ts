import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { inflateRawSync } from 'node:zlib'

const endOfDirectory = 0x06054b50
const entryOfDirectory = 0x02014b50

/** What is in a zip archive, below the folder: Node has the compression, but not the container. Without a comment at the end, without Zip64. */
export async function unzip(archive: string, folder: string): Promise<void> {
  const bytes = await readFile(archive)
  const end = bytes.length - 22
  if (bytes.readUInt32LE(end) !== endOfDirectory) throw new Error(`${archive} is not a zip archive that this can read.`)
  let at = bytes.readUInt32LE(end + 16)
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    if (bytes.readUInt32LE(at) !== entryOfDirectory) throw new Error(`${archive}: its directory is damaged at ${at}.`)
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ]
    const path = join(folder, bytes.toString('utf8', at + 46, at + 46 + nameLength))
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, contentOf(bytes, at))
    at += 46 + nameLength + extraLength + commentLength
  }
}

function contentOf(bytes: Buffer, entry: number): Buffer {
  const header = bytes.readUInt32LE(entry + 42)
  const from = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28)
  const packed = bytes.subarray(from, from + bytes.readUInt32LE(entry + 20))
  const [method, size] = [bytes.readUInt16LE(entry + 10), bytes.readUInt32LE(entry + 24)]
  const content = method === 8 ? inflateRawSync(packed) : packed
  if (content.length !== size) throw new Error(`An entry has ${content.length} bytes instead of ${size}.`)
  return content
}
