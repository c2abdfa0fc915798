import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { GcpCommandLine } from '../harness/gcp-command-line.js'
import { whyMissing } from '../harness/programs.js'
import { repository } from '../harness/repository.js'
import { readModule } from '../harness/terraform-module.js'

const page = readFileSync('docs/gcp.md', 'utf8')
const value = 'a-first-key-0123456789-0123456789-abcdef'
const archives = ['rotate', 'sweep', 'work', 'invoke', 'jwks'].map((name) => `${name}.zip`)
const region = ['--region', 'europe-west3']

let line: GcpCommandLine
let top: string
let folder: string
let env: GcpCommandLine['env']
before(async () => {
  line = await GcpCommandLine.open()
  env = line.env
  top = mkdtempSync(join(tmpdir(), 'keyturn-init-'))
  line.installation = top
  cpSync(join(repository, 'infra/terraform/gcp'), join(top, 'infra/terraform/gcp'), { recursive: true })
})
after(async () => {
  await line?.close()
  rmSync(top, { recursive: true })
})
beforeEach(() => {
  line.double.reset()
  line.env = env
  built('postgres', 'random')
  folder = join(mkdtempSync(join(top, 'folder-')), 'keyturn-gcp')
})

/** As npm run package:gcp leaves it behind. */
function built(...rotators: readonly string[]): void {
  const place = join(top, 'dist/functions/gcp')
  mkdirSync(place, { recursive: true })
  for (const name of archives) writeFileSync(join(place, name), `the archive ${name}`)
  writeFileSync(join(place, 'rotators.json'), JSON.stringify(rotators))
}
function make(secretId: string, annotations = {}, more = {}, parent = 'projects/p'): void {
  const replication = parent.includes('/locations/') ? {} : { replication: { automatic: {} } }
  line.double.do('CreateSecret', { parent, secretId, secret: { ...replication, annotations, ...more } })
  line.double.do('AddSecretVersion', { parent: `${parent}/secrets/${secretId}`, payload: { data: Buffer.from(value) } })
}
const init = (...words: readonly string[]) => line.json(['init', 'gcp', ...words, ...region, '--folder', folder])
const commandsOf = (body: Readonly<Record<string, unknown>>): readonly string[] => body.commands as readonly string[]
const textOf = (path: string): string => readFileSync(join(folder, path), 'utf8')
const words = (command: string): readonly string[] => command.split(' ').slice(1)

describe('keyturn init gcp', () => {
  it('writes the module, the archives and a main.tf, and changes nothing in the project', async () => {
    make('db', { 'keyturn-rotator': 'postgres', 'keyturn-admin': 'gcp:pg-admin' }, { versionDestroyTtl: { seconds: 86400 } })
    make('7-key')
    const before = line.state()
    const { code, body, stdout } = await init('gcp:db', 'gcp:projects/p/secrets/7-key', '--invoker', 'user:ann@example.com')
    assert.equal(code, 0, stdout)
    assert.equal(line.state(), before)
    const modules = readdirSync(join(repository, 'infra/terraform/gcp')).filter((name) => name.endsWith('.tf'))
    const all = ['.gitignore', 'main.tf', ...archives.map((name) => `functions/${name}`), ...modules.map((name) => `keyturn/${name}`)]
    assert.deepEqual(body.files, all.sort())
    assert.deepEqual(readdirSync(folder).sort(), ['.gitignore', 'functions', 'keyturn', 'main.tf'])
    assert.equal(textOf('functions/work.zip'), 'the archive work.zip')
    const { calls, outputs } = await readModule(folder)
    const called = await readModule(join(folder, 'keyturn'))
    assert.deepEqual(calls.get('keyturn'), {
      source: './keyturn',
      project_id: 'p',
      region: 'europe-west3',
      archives: '${path.module}/functions',
      invokers: ['user:ann@example.com'],
      secrets: { db: { destroys_later: true, administrator: 'projects/p/secrets/pg-admin' }, '7-key': {} },
    })
    for (const name of Object.keys(calls.get('keyturn') ?? {})) assert.ok(name === 'source' || called.variables.has(name), name)
    for (const name of outputs.keys()) assert.ok(called.outputs.has(name), name)
    for (const [name, { default: usual }] of called.variables) assert.ok(usual !== undefined || name in (calls.get('keyturn') ?? {}), name)
  })

  it('is as terraform fmt writes it', { skip: whyMissing('terraform') }, async () => {
    make('db', { 'keyturn-rotator': 'postgres', 'keyturn-admin': 'gcp:pg-admin' })
    make('9key')
    make('regional-one', {}, {}, 'projects/p/locations/europe-west3')
    line.env = { ...line.env, KEYTURN_CONFIG: 'gcp:config' }
    const { code, stdout } = await init('gcp:db', 'gcp:9key', 'gcp:projects/p/locations/europe-west3/secrets/regional-one')
    assert.equal(code, 0, stdout)
    const { status, stdout: diff } = spawnSync('terraform', ['fmt', '-check', '-diff', '-no-color', folder], { encoding: 'utf8' })
    assert.equal(status, 0, diff)
    const { calls } = await readModule(folder)
    const { locations, configuration, secrets } = calls.get('keyturn') ?? {}
    assert.deepEqual([locations, configuration], [['europe-west3'], 'projects/p/secrets/config'])
    assert.deepEqual((secrets as Readonly<Record<string, unknown>>)['regional-one'], { location: 'europe-west3' })
  })

  it('prints at most ten commands to a rotated secret, and those of Keyturn do what they say', async () => {
    make('key')
    const policy = ['--rotator', 'random', '--set', 'form=token', 'spelling=change', 'every=30d', 'grace=2h']
    const { body } = await init('gcp:key', ...policy)
    const commands = commandsOf(body)
    assert.ok(commands.length <= 10, String(commands.length))
    assert.deepEqual(
      commands.map((command) => command.split(' ')[0]),
      ['gcloud', 'gcloud', 'gcloud', 'keyturn', 'terraform', 'terraform', 'gcloud', 'keyturn', 'keyturn'],
    )
    assert.ok(commands.includes(`terraform -chdir=${folder} apply`))
    for (const command of commands.filter((one) => one.startsWith('keyturn '))) {
      const { code, stderr } = await line.run(words(command))
      assert.equal(code, 0, `${command}: ${stderr}`)
    }
    assert.equal(line.double.secrets.get('projects/123456789012/secrets/key')?.versions.length, 2)
  })

  it('is on docs/gcp.md as it is, command for command', async () => {
    const [, typed = '', printed = ''] =
      /```sh\nKEYTURN_ROTATORS=postgres,cloud-sql npm run package:gcp\n(keyturn init gcp .*?)\n```.*?```sh\n(.*?)\n```/s.exec(page) ?? []
    line.double.names.projects.set('shop', '345678901234')
    make('db', {}, {}, 'projects/shop')
    built('postgres', 'cloud-sql')
    const { stdout, code } = await line.run([...words(typed), '--json', '--folder', folder])
    assert.equal(code, 0, stdout)
    const { commands } = JSON.parse(stdout) as { readonly commands: readonly string[] }
    assert.deepEqual(
      commands.map((command) => command.replaceAll(folder, 'keyturn-gcp')),
      printed.split('\n'),
    )
  })

  it('asks the function invoke where somebody may call it', async () => {
    make('key', { 'keyturn-rotator': 'random' })
    const commands = commandsOf((await init('gcp:key', '--invoker', 'group:operations@example.com')).body)
    assert.ok(!commands.some((command) => command.startsWith('keyturn adopt') || command.startsWith('keyturn rotate')))
    const asked = commands.find((command) => command.includes('| curl ')) ?? assert.fail('nothing is asked')
    assert.ok(asked.includes(`--data '{"action":"rotate","ref":"gcp:projects/p/secrets/key"}'`), asked)
  })

  it('asks for what each part needs', async () => {
    built('random', 'cloud-sql')
    make('app', {
      'keyturn-rotator': 'parts',
      'keyturn-parts': 'key=random login=cloud-sql',
      'keyturn-login-instance': 'shop-prod:europe-west3:main',
    })
    const { body, stdout } = await init('gcp:app')
    assert.ok(commandsOf(body)[0]?.includes(' sqladmin.googleapis.com '), stdout)
    assert.deepEqual((await readModule(folder)).calls.get('keyturn')?.cloud_sql_projects, ['shop-prod'])
  })

  it('takes a folder by any path that leads to it, and leaves nothing beside it', async () => {
    make('for', { 'keyturn-rotator': 'random' })
    mkdirSync(folder)
    const link = `${folder}-link`
    symlinkSync(folder, link)
    for (const path of [`${folder}/`, `${folder}/../keyturn-gcp//`, link]) {
      const { code, stdout } = await line.json(['init', 'gcp', 'gcp:for', ...region, '--folder', path])
      assert.equal(code, 0, stdout)
      assert.deepEqual(readdirSync(folder).sort(), ['.gitignore', 'functions', 'keyturn', 'main.tf'])
      assert.deepEqual(readdirSync(join(folder, '..')).sort(), ['keyturn-gcp', 'keyturn-gcp-link'])
      assert.deepEqual((await readModule(folder)).calls.get('keyturn')?.secrets, { for: {} })
      rmSync(folder, { recursive: true })
      mkdirSync(folder)
    }
  })

  it('takes every managed secret where none is named', async () => {
    make('other')
    make('a', { 'keyturn-rotator': 'random' })
    make('b', { 'keyturn-rotator': 'random' })
    const { body } = await init()
    assert.deepEqual(body.secrets, [
      { ref: 'gcp:projects/p/secrets/a', adopted: true },
      { ref: 'gcp:projects/p/secrets/b', adopted: true },
    ])
  })
})

describe('keyturn init gcp, of bad input', () => {
  const europe = 'projects/p/locations/europe-west3'
  const cases: readonly { what: string; words: readonly string[]; arrange?: () => unknown; code: string; field: string }[] = [
    { what: 'no secret is named, and none is managed', words: [], code: 'bad_event', field: 'refs' },
    { what: 'a secret that is not there', words: ['gcp:nothing'], code: 'not_found', field: 'ref' },
    { what: 'a secret of another store', words: ['file:db'], code: 'bad_event', field: 'ref' },
    { what: 'everybody as the invoker', words: ['gcp:key', '--invoker', 'allUsers'], code: 'bad_event', field: 'invoker' },
    { what: 'two regions', words: ['gcp:key', '--region', 'a b'], code: 'bad_event', field: 'region' },
    { what: 'the same secret twice', words: ['gcp:key', 'gcp:projects/p/secrets/key'], code: 'bad_event', field: 'ref' },
    { what: 'two locations of one id', words: ['gcp:key', `gcp:${europe}/secrets/key`], code: 'bad_event', field: 'ref' },
    { what: 'a policy for a secret that has one', words: ['gcp:key', '--set', 'every=30d'], code: 'bad_event', field: 'set' },
    { what: 'a project by its number', words: ['gcp:projects/123456789012/secrets/key'], code: 'bad_event', field: 'ref' },
    { what: 'an instance that is not named', words: ['gcp:new', '--rotator', 'cloud-sql'], code: 'bad_policy', field: 'keyturn-instance' },
    { what: 'a regional administrator', words: ['gcp:regional'], code: 'bad_config', field: 'keyturn-admin' },
    {
      what: 'a policy key that nobody knows',
      words: ['gcp:new', '--rotator', 'random', '--set', 'nokey=1'],
      code: 'bad_policy',
      field: 'keyturn-nokey',
    },
    { what: 'a value over two lines', words: ['gcp:new', '--set', 'owner=a\nb'], code: 'bad_policy', field: 'keyturn-owner' },
    { what: 'two rotators', words: ['gcp:new', '--rotator', 'random', '--set', 'rotator=jwt'], code: 'bad_event', field: 'rotator' },
    { what: 'an administrator elsewhere', words: ['gcp:elsewhere'], code: 'bad_config', field: 'keyturn-admin' },
    {
      what: 'a rotator that the functions lack',
      words: ['gcp:key'],
      arrange: () => built('postgres'),
      code: 'bad_config',
      field: 'functions',
    },
    { what: 'functions that were not built', words: ['gcp:key'], arrange: removeBuilt, code: 'bad_config', field: 'functions' },
    { what: 'a folder with something in it', words: ['gcp:key'], arrange: fillFolder, code: 'exists', field: 'folder' },
  ]
  function fillFolder(): void {
    mkdirSync(folder)
    writeFileSync(join(folder, 'notes'), 'mine')
  }
  function removeBuilt(): void {
    rmSync(join(top, 'dist'), { recursive: true })
  }
  for (const { what, words: given, arrange, code, field } of cases)
    it(`${what}: ${code}, and nothing is written`, async () => {
      make('key', { 'keyturn-rotator': 'random' })
      make('key', {}, {}, europe)
      make('new')
      make('regional', { 'keyturn-rotator': 'postgres', 'keyturn-admin': `gcp:${europe}/secrets/adm` })
      make('elsewhere', { 'keyturn-rotator': 'postgres', 'keyturn-admin': 'file:pg-admin' })
      if (what.startsWith('no secret')) line.double.reset()
      arrange?.()
      const there = existsSync(folder) ? readdirSync(folder) : undefined
      const reply = await line.json(['init', 'gcp', ...region, '--folder', folder, ...given])
      assert.deepEqual([reply.error?.code, reply.error?.field], [code, field], reply.stdout)
      assert.notEqual(reply.code, 0)
      assert.deepEqual(existsSync(folder) ? readdirSync(folder) : undefined, there)
      assert.deepEqual(readdirSync(join(folder, '..')), there === undefined ? [] : ['keyturn-gcp'])
    })
})
