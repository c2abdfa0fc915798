import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { build } from 'esbuild'
import { repository as root } from './harness/repository.js'
import { type Insertion, newcomers } from './newcomer/newcomers.js'

const copied = ['package.json', 'package-lock.json', 'tsconfig.json', 'shared', 'cli', 'functions', 'scripts', 'bench', 'test'] as const
const isSource = (path: string): boolean => !/\/(node_modules|dist)(\/|$)/.test(path.slice(root.length))

/** The suites of the three newcomers alone: those of the others start servers. */
const suites = `
import { engineStoreContract } from './contract/engine-store.js'
import { notifierContract } from './contract/notifier.js'
import { rotatorContract } from './contract/rotator.js'
import { storeContract } from './contract/store.js'
import { notifierHarnesses } from './harness/notifiers.js'
import { rotatorHarnesses } from './harness/rotators.js'
import { storeHarnesses } from './harness/stores.js'
for (const named of storeHarnesses.drawer) {
  storeContract(named)
  engineStoreContract(named)
}
for (const named of rotatorHarnesses.ticket) rotatorContract(named)
notifierContract('bell', notifierHarnesses.bell)
`

/** CONTRIBUTING.md, done in a copy: what it leaves out would show here. Docs, changelog and README rows come on top. */
describe('a newcomer does what CONTRIBUTING says', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyturn-newcomer-'))
    for (const name of copied) await cp(join(root, name), join(folder, name), { recursive: true, filter: isSource })
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('adds a rotator, a store and a notifier: an entry file, a registry row and a harness entry each, and nothing else', async (t) => {
    for (const { kind, entry, row, harness } of newcomers) {
      await cp(join(root, 'test/newcomer', `${kind}.txt`), join(folder, entry))
      for (const insertion of [...row, harness]) await insert(folder, insertion)
    }
    const touched = await touchedIn(folder)
    t.diagnostic(`${touched.length} files touched for ${newcomers.length} newcomers: ${touched.join(', ')}`)
    const expected = newcomers.flatMap(({ entry, row, harness }) => [entry, ...row.map(({ file }) => file), harness.file])
    assert.deepEqual(touched, [...new Set(expected)].sort())
    assert.equal(touched.length, 3 * newcomers.length)
  })

  it('type-checks and builds, and the configuration takes the new kind', async () => {
    assert.deepEqual(await typeCheck(folder), { code: 0, said: '' })
    assert.deepEqual(await run(folder, ['scripts/build.mjs']), { code: 0, said: '' })
    await writeFile(join(folder, 'config.json'), JSON.stringify({ consumers: { door: { kind: 'bell', required: true, tone: 'low' } } }))
    const good = await run(folder, ['dist/cli/main.js', 'config', 'check', '-f', 'config.json', '--json'])
    assert.equal(good.code, 0, good.said)
    await writeFile(join(folder, 'config.json'), JSON.stringify({ consumers: { door: { kind: 'bell', tone: 'shrill' } } }))
    const wrong = await run(folder, ['dist/cli/main.js', 'config', 'check', '-f', 'config.json', '--json'])
    assert.deepEqual([wrong.code, wrong.said.includes('consumers.door.tone')], [2, true], wrong.said)
  })

  it('passes the contract suites', async () => {
    const outfile = join(folder, 'dist/newcomers.test.js')
    const options = { bundle: true, platform: 'node', format: 'esm', target: 'node20', packages: 'external' } as const
    await build({ ...options, stdin: { contents: suites, resolveDir: join(folder, 'test') }, outfile, logLevel: 'error' })
    const { code, said } = await run(folder, ['--test-reporter=tap', outfile])
    assert.equal(code, 0, said)
    for (const name of ['store drawer', 'engine store drawer', 'rotator ticket', 'notifier bell'])
      assert.match(said, new RegExp(`ok \\d+ - ${name}\n`))
  })

  it('is red by name where harness entries are left out', async () => {
    for (const { harness } of newcomers) {
      const path = join(folder, harness.file)
      const without = (await readFile(path, 'utf8')).replace(harness.text, () => '')
      await writeFile(path, without)
    }
    const { code, said } = await typeCheck(folder)
    assert.notEqual(code, 0)
    for (const { kind, harness } of newcomers) assert.match(said, new RegExp(`^${harness.file}.*Property '${kind}' is missing`, 'm'), said)
  })
})

async function insert(folder: string, { file, after: place, text: added }: Insertion): Promise<void> {
  const path = join(folder, file)
  const before = await readFile(path, 'utf8')
  assert.equal(before.split(place).length, 2, `${file} has once: ${place}`)
  await writeFile(
    path,
    before.replace(place, () => place + added),
  )
}

/** Files that differ from the project's, or are not in it. */
async function touchedIn(folder: string): Promise<readonly string[]> {
  const touched: string[] = []
  for (const name of ['shared', 'cli', 'functions', 'scripts', 'bench', 'test']) {
    for (const entry of await readdir(join(folder, name), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = relative(folder, join(entry.parentPath, entry.name))
      const [there, here] = [await readFile(join(root, path), 'utf8').catch(() => undefined), await readFile(join(folder, path), 'utf8')]
      if (there !== here) touched.push(path)
    }
  }
  return touched.sort()
}

const typeCheck = (folder: string) => run(folder, [join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '--pretty', 'false'])

async function run(cwd: string, args: readonly string[]): Promise<{ readonly code: number | null; readonly said: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, [...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [said, wrong] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, said: said + wrong }
}
