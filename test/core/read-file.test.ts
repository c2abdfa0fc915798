import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { diskError, UnfitFileError } from '../../shared/core/disk-error.js'
import { readRegular, readRegularSync } from '../../shared/core/read-file.js'
import { whyMissing } from '../harness/programs.js'

const ways = {
  readRegular,
  readRegularSync: async (path: string, bytesMax: number) => readRegularSync(path, bytesMax),
} as const

describe('a file that is read with a limit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-read-'))
  after(() => rmSync(folder, { recursive: true }))
  const at = (name: string): string => join(folder, name)

  for (const [name, read] of Object.entries(ways)) {
    it(`${name}: as long as it may be, and no byte longer`, async () => {
      writeFileSync(at('file'), 'ü'.repeat(50_000))
      assert.equal(await read(at('file'), 100_000), 'ü'.repeat(50_000))
      await assert.rejects(read(at('file'), 99_999), UnfitFileError)
      writeFileSync(at('empty'), '')
      assert.equal(await read(at('empty'), 0), '')
    })

    it(`${name}: a pipe that nobody writes to is not waited for`, { skip: whyMissing('mkfifo') }, async () => {
      execFileSync('mkfifo', [at(name)])
      await assert.rejects(read(at(name), 10), { name: 'UnfitFileError', message: 'it is not a regular file' })
    })

    it(`${name}: a device, a socket and a folder are refused, in our own words`, async () => {
      const server = createServer().listen(at(`${name}.socket`))
      await new Promise((resolve) => server.once('listening', resolve))
      const codeAt = (path: string) =>
        read(path, 10).catch((cause: unknown) => (diskError(cause, { path, tried: 'read' }) as { readonly code?: string }).code)
      assert.deepEqual(await Promise.all(['/dev/zero', at(`${name}.socket`), folder].map(codeAt)), [
        'bad_config',
        'bad_config',
        'bad_config',
      ])
      server.close()
    })
  }
})
