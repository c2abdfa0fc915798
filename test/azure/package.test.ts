import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { checkout, run, unpacked } from '../harness/aws-package.js'

/** Loads the program as a worker does, which has the other half of the library, and says which functions it registers. */
const loading = `
  const module = require('node:module')
  const names = []
  const core = { version: '4.0.0', hostVersion: '4', setProgrammingModel() {}, registerHook: () => ({ dispose() {} }), log() {} }
  const load = module._load
  module._load = (name, ...rest) =>
    name === '@azure/functions-core' ? { ...core, registerFunction: ({ name }) => names.push(name) } : load(name, ...rest)
  require('./index.js')
  process.stdout.write(JSON.stringify(names))
  process.exit(0)
`

describe('the archive of the functions of Azure', () => {
  const folders: string[] = []
  let task: string
  const build = (folder: string): void => {
    run(folder, process.execPath, ['scripts/functions.mjs', 'azure', '--zip'], { KEYTURN_ROTATORS: 'random,postgres' })
  }
  const archiveIn = (folder: string): string => join(folder, 'dist/functions/azure/app.zip')
  before(async () => {
    // One after the other, in folders of other names: nothing of a folder may be in the archive.
    for (const _ of [1, 2]) {
      const folder = await checkout()
      folders.push(folder)
      build(folder)
    }
    task = await unpacked(archiveIn(folders[0] ?? ''))
  })
  after(async () => {
    for (const folder of [task, ...folders]) await rm(folder, { recursive: true, force: true })
  })

  it('is the same to the byte wherever it is built, and when it is built again', async () => {
    const [first = '', second = ''] = folders
    const archive = await readFile(archiveIn(first))
    assert.ok(archive.equals(await readFile(archiveIn(second))))
    build(first)
    assert.ok(archive.equals(await readFile(archiveIn(first))))
  })

  it('holds the settings of the host, a program and its package, whose main is there, and nothing else', async () => {
    assert.deepEqual(readdirSync(task).sort(), ['host.json', 'index.js', 'package.json'])
    const { main, dependencies, name } = JSON.parse(await readFile(join(task, 'package.json'), 'utf8')) as Readonly<Record<string, unknown>>
    assert.deepEqual([main, dependencies, name], ['index.js', undefined, 'keyturn-app'])
    assert.equal(await readFile(join(task, 'host.json'), 'utf8'), readFileSync('functions/azure/host.json', 'utf8'))
  })

  it('has no other cloud in it, and loads with nothing beside it but what the platform gives', async () => {
    const code = await readFile(join(task, 'index.js'), 'utf8')
    assert.doesNotMatch(code, /@aws-sdk|@google-cloud|sourceMappingURL/)
    const registered = (env: Readonly<Record<string, string>>): unknown => JSON.parse(run(task, process.execPath, ['-e', loading], env))
    assert.deepEqual(registered({}), ['rotate', 'propagate', 'sweep', 'work', 'invoke'])
    assert.deepEqual(registered({ KEYTURN_JWKS: 'azure:app/set' }), ['jwks'])
  })

  it('is packed with Keyturn, with which rotators are in it and the module that deploys it', async () => {
    const { files } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly files: readonly string[] }
    for (const one of ['dist/functions/azure/*.zip', 'dist/functions/azure/rotators.json', 'infra/terraform/azure/*.tf'])
      assert.ok(files.includes(one), one)
    const rotators: unknown = JSON.parse(await readFile(join(folders[0] ?? '', 'dist/functions/azure/rotators.json'), 'utf8'))
    assert.deepEqual(rotators, ['random', 'postgres'])
  })
})
