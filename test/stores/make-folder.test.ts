import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { makeFolder } from '../../shared/stores/file/make-folder.js'

describe('a folder that is made', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyturn-folder-'))
  })
  after(() => rm(folder, { recursive: true }))

  it('is its owner’s alone, with those above it, and is made once', async () => {
    const path = join(folder, 'a/b/c')
    await makeFolder(path)
    await makeFolder(path)
    for (const made of [path, join(folder, 'a')]) assert.equal((await stat(made)).mode & 0o777, 0o700)
  })

  it('is not made below a file, or in the place of a file or of a dead link', async () => {
    await writeFile(join(folder, 'file'), '')
    await symlink('/nowhere/at/all', join(folder, 'link'))
    await assert.rejects(makeFolder(join(folder, 'file'), 'KEYTURN_HOME'), { code: 'bad_config', field: 'KEYTURN_HOME' })
    await assert.rejects(makeFolder(join(folder, 'file/a/b')), { code: 'bad_config', message: /file\/a\/b cannot be made/ })
    await assert.rejects(makeFolder(join(folder, 'link')), { code: 'bad_config', message: /link cannot be made/ })
  })

  it('is refused by a file system that takes none', { skip: existsSync('/proc/self') ? false : 'this system has no /proc' }, async () => {
    await assert.rejects(makeFolder('/proc/nope/a', 'KEYTURN_AUDIT'), {
      code: 'denied',
      field: 'KEYTURN_AUDIT',
      message: /^\/proc\/nope cannot be made: /,
    })
  })
})
