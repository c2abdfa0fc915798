import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'

describe('dist/', () => {
  let folder: string
  const at = (path: string): string => join(folder, path)
  const build = (...words: string[]): void => void execFileSync(process.execPath, ['scripts/build.mjs', ...words], { cwd: folder })
  const said = (): string => execFileSync(process.execPath, ['dist/cli/main.js'], { cwd: folder, encoding: 'utf8' }).trim()
  /** With a time of its own: two writes in one tick of the file system would look like one. */
  const write = async (text: string, seconds: number): Promise<void> => {
    await writeFile(at('cli/main.ts'), `#!/usr/bin/env node\nconsole.log('${text}')\n`)
    await utimes(at('cli/main.ts'), Date.now() / 1000 + seconds, Date.now() / 1000 + seconds)
  }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyturn-build-'))
    for (const name of ['bench', 'cli', 'functions', 'shared', 'test']) await mkdir(at(name))
    await cp('scripts', at('scripts'), { recursive: true, filter: (path) => !path.endsWith('.ts') })
    await writeFile(at('package.json'), '{"type":"module"}')
    await symlink(join(process.cwd(), 'node_modules'), at('node_modules'))
    await write('one', -60)
    build('--prepare')
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('is made where it is not there, with a program that can be run', async () => {
    assert.equal(said(), 'one')
    assert.equal((await stat(at('dist/cli/main.js'))).mode & 0o111, 0o111)
  })

  it('is left alone by npx while tests run on it, and made again afterwards', async () => {
    await write('two', 60)
    await mkdir(at('dist/.tests'), { recursive: true })
    await writeFile(at(`dist/.tests/${process.pid}`), '')
    build('--prepare')
    assert.equal(said(), 'one')
    await rm(at(`dist/.tests/${process.pid}`))
    await writeFile(at('dist/.tests/999999999'), '') // of a run that was killed
    build('--prepare')
    assert.equal(said(), 'two')
  })

  it('is made by several at once without one of them failing, and is made again where the program is missing', async () => {
    await write('four', 120)
    const all = [1, 2, 3].map(() => promisify(execFile)(process.execPath, ['scripts/build.mjs'], { cwd: folder }))
    await Promise.all(all)
    assert.equal(said(), 'four')
    await write('five', -60)
    await rm(at('dist/cli/main.js'))
    build('--prepare')
    assert.equal(said(), 'five')
  })

  it('that is up to date is not made again; what has no source any more goes', async () => {
    await write('three', -120)
    for (const name of ['bench', 'cli', 'functions', 'scripts', 'shared', 'test', 'package.json']) await utimes(at(name), 1, 1)
    build('--prepare')
    assert.equal(said(), 'five')
    await writeFile(at('dist/cli/gone.js'), '')
    build()
    assert.equal(said(), 'three')
    await assert.rejects(readFile(at('dist/cli/gone.js')), { code: 'ENOENT' })
  })
})
