import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Policy } from '../../shared/core/ports/words.js'
import { policyTags } from '../../shared/stores/azure-key-vault/tags.js'
import { AzureCommandLine } from '../harness/azure-command-line.js'
import { azuriteSkip } from '../harness/azurite.js'
import { whyMissing } from '../harness/programs.js'
import { repository } from '../harness/repository.js'
import { suite } from '../harness/suite.js'
import { readModule, textOf } from '../harness/terraform-module.js'

const value = 'a-first-key-0123456789-0123456789-abcdef'
const where = ['--region', 'westeurope', '--group', 'shop', '--prefix', 'shop-keyturn']
const words = (command: string): readonly string[] => command.split(' ').slice(1)

suite('keyturn init azure', azuriteSkip, ({ it, before, after, beforeEach }) => {
  let line: AzureCommandLine
  let top: string
  let folder: string
  let env: AzureCommandLine['env']
  before(async () => {
    line = await AzureCommandLine.open()
    env = line.env
    top = mkdtempSync(join(tmpdir(), 'keyturn-init-'))
    line.installation = top
    cpSync(join(repository, 'infra/terraform/azure'), join(top, 'infra/terraform/azure'), { recursive: true })
  })
  after(async () => {
    await line?.close()
    rmSync(top, { recursive: true })
  })
  beforeEach(async () => {
    await line.reset()
    for (const vault of ['shop-test', 'shop-prod', 'shop-keyturn-staging']) if (!line.double.vaults.has(vault)) line.double.addVault(vault)
    line.env = env
    built('postgres', 'random')
    folder = join(mkdtempSync(join(top, 'folder-')), 'keyturn-azure')
  })

  /** As npm run package:azure leaves it behind. */
  function built(...rotators: readonly string[]): void {
    const place = join(top, 'dist/functions/azure')
    mkdirSync(place, { recursive: true })
    writeFileSync(join(place, 'app.zip'), 'the archive')
    writeFileSync(join(place, 'rotators.json'), JSON.stringify(rotators))
  }
  const make = (name: string, policy: Policy = {}, vault = 'app'): void =>
    void line.double.writeForeign(name, value, { tags: policyTags(policy) }, vault)
  const init = (...given: readonly string[]) => line.json(['init', 'azure', ...given, ...where, '--folder', folder])
  const commandsOf = (body: Readonly<Record<string, unknown>>): readonly string[] => body.commands as readonly string[]

  it('writes the module, the archive and a main.tf, and changes nothing', async () => {
    make('db', { 'keyturn-rotator': 'postgres', 'keyturn-admin': 'azure:app/pg-admin' })
    const before = await line.state()
    const { code, body, stdout } = await init('azure:app/db')
    assert.equal(code, 0, stdout)
    assert.equal(await line.state(), before)
    const modules = readdirSync(join(repository, 'infra/terraform/azure')).filter((name) => name.endsWith('.tf'))
    assert.deepEqual(body.files, ['.gitignore', 'functions/app.zip', 'main.tf', ...modules.map((name) => `keyturn/${name}`)].sort())
    const { calls, outputs, data } = await readModule(folder)
    const called = await readModule(join(folder, 'keyturn'))
    assert.deepEqual(calls.get('keyturn'), {
      source: './keyturn',
      location: 'westeurope',
      prefix: 'shop-keyturn',
      archive: '${path.module}/functions/app.zip',
      administrators: ['${data.azurerm_key_vault.app.id}/secrets/pg-admin'],
      vaults: { app: { id: '${data.azurerm_key_vault.app.id}', location: '${data.azurerm_key_vault.app.location}' } },
    })
    assert.deepEqual(data, [{ type: 'azurerm_key_vault', name: 'app', body: { name: 'app', resource_group_name: 'shop' } }])
    for (const name of Object.keys(calls.get('keyturn') ?? {})) assert.ok(name === 'source' || called.variables.has(name), name)
    for (const name of outputs.keys()) assert.ok(called.outputs.has(name), name)
    for (const [name, variable] of called.variables) assert.ok('default' in variable || name in (calls.get('keyturn') ?? {}), name)
  })

  it('is as terraform fmt writes it, with vaults of any name', { skip: whyMissing('terraform') }, async () => {
    make('db', { 'keyturn-rotator': 'postgres', 'keyturn-admin': 'azure:shop-admins/pg' })
    make('key', {}, 'shop-test')
    line.env = { ...line.env, KEYTURN_CONFIG: 'azure:app/config' }
    const { code, stdout } = await init('azure:app/db', 'azure:shop-test/key')
    assert.equal(code, 0, stdout)
    const { status, stdout: diff } = spawnSync('terraform', ['fmt', '-check', '-diff', '-no-color', folder], { encoding: 'utf8' })
    assert.equal(status, 0, diff)
    const { calls, data } = await readModule(folder)
    assert.equal(calls.get('keyturn')?.configuration, '${data.azurerm_key_vault.app.id}/secrets/config')
    assert.deepEqual(
      data.map(({ body }) => textOf(body, 'name')),
      ['app', 'shop-admins', 'shop-test'],
    )
    assert.deepEqual(Object.keys(calls.get('keyturn')?.vaults ?? {}), ['app', 'shop-test'])
  })

  it('prints at most ten commands to a rotated secret, and those of Keyturn do what they say', async () => {
    make('key')
    const policy = ['--rotator', 'random', '--set', 'form=token', 'spelling=change', 'every=30d', 'grace=2h']
    const { body } = await init('azure:app/key', ...policy)
    const commands = commandsOf(body)
    assert.ok(commands.length <= 10, String(commands.length))
    assert.deepEqual(
      commands.map((command) => command.split(' ')[0]),
      ['export', 'terraform', 'terraform', 'export', 'keyturn', 'keyturn', 'az', 'keyturn'],
    )
    assert.ok(commands.includes(`terraform -chdir=${folder} apply`))
    line.env = { ...line.env, KEYTURN_AZURE_STAGING_VAULT: 'shop-keyturn-staging' }
    const [granting = '', ...rest] = commands.filter((one) => one.startsWith('keyturn '))
    const grants = await line.run(words(granting.replace(/ --member .*$/, '')))
    assert.equal(grants.code, 0, grants.stderr)
    assert.match(grants.stdout, /az keyvault show --name shop-keyturn-staging/)
    for (const command of rest) {
      const { code, stderr } = await line.run(words(command))
      assert.equal(code, 0, `${command}: ${stderr}`)
    }
    const asked = commands.find((command) => command.includes('| curl ')) ?? assert.fail('nothing is asked')
    assert.ok(asked.includes(`--data '{"action":"rotate","ref":"azure:app/key"}'`), asked)
    assert.match(asked, /^az functionapp keys list --name shop-keyturn-fleet --resource-group shop-keyturn /)
  })

  it('is on docs/azure.md as it is, command for command', async () => {
    const page = readFileSync('docs/azure.md', 'utf8')
    const [, typed = '', printed = ''] =
      /```sh\nKEYTURN_ROTATORS=postgres npm run package:azure\n(keyturn init azure .*?)\n```.*?```sh\n(.*?)\n```/s.exec(page) ?? []
    make('db', {}, 'shop-prod')
    const { stdout, code } = await line.run([...words(typed), '--json', '--folder', folder])
    assert.equal(code, 0, stdout)
    const { commands } = JSON.parse(stdout) as { readonly commands: readonly string[] }
    assert.deepEqual(
      commands.map((command) => command.replaceAll(folder, 'keyturn-azure')),
      printed.split('\n'),
    )
  })

  it('asks for what each part needs', async () => {
    built('random', 'azure-flexible-server')
    const id = `/subscriptions/${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}/resourceGroups/shop/providers/Microsoft.DBforMySQL/flexibleServers/main`
    make('admin', { 'keyturn-rotator': 'azure-flexible-server', 'keyturn-resource-id': id })
    const { code, stdout } = await init('azure:app/admin')
    assert.equal(code, 0, stdout)
    assert.deepEqual((await readModule(folder)).calls.get('keyturn')?.flexible_servers, [id])
  })

  it('takes every managed secret where none is named', async () => {
    make('other')
    make('a', { 'keyturn-rotator': 'random' })
    make('b', { 'keyturn-rotator': 'random' })
    const { body } = await init()
    assert.deepEqual(body.secrets, [
      { ref: 'azure:app/a', adopted: true },
      { ref: 'azure:app/b', adopted: true },
    ])
  })

  const cases: readonly { what: string; words: readonly string[]; arrange?: () => unknown; code: string; field: string }[] = [
    { what: 'no secret is named, and none is managed', words: [], code: 'bad_event', field: 'refs' },
    { what: 'a secret that is not there', words: ['azure:app/nothing'], code: 'not_found', field: 'ref' },
    { what: 'a secret of another store', words: ['file:db'], code: 'bad_event', field: 'ref' },
    { what: 'two regions', words: ['azure:app/key', '--region', 'a b'], code: 'bad_event', field: 'region' },
    { what: 'a group that no platform takes', words: ['azure:app/key', '--group', 'a b'], code: 'bad_event', field: 'group' },
    { what: 'a prefix that is too long', words: ['azure:app/key', '--prefix', 'p'.repeat(17)], code: 'bad_event', field: 'prefix' },
    { what: 'the same secret twice', words: ['azure:app/key', 'azure:app/key'], code: 'bad_event', field: 'ref' },
    { what: 'a policy for a secret that has one', words: ['azure:app/key', '--set', 'every=30d'], code: 'bad_event', field: 'set' },
    { what: 'an administrator elsewhere', words: ['azure:app/elsewhere'], code: 'bad_config', field: 'keyturn-admin' },
    {
      what: 'a rotator that the functions lack',
      words: ['azure:app/key'],
      arrange: () => built('postgres'),
      code: 'bad_config',
      field: 'functions',
    },
    {
      what: 'functions that were not built',
      words: ['azure:app/key'],
      arrange: () => rmSync(join(top, 'dist'), { recursive: true }),
      code: 'bad_config',
      field: 'functions',
    },
  ]
  for (const { what, words: given, arrange, code, field } of cases)
    it(`of bad input: ${what}: ${code}, and nothing is written`, async () => {
      if (!what.startsWith('no secret')) {
        make('key', { 'keyturn-rotator': 'random' })
        make('elsewhere', { 'keyturn-rotator': 'postgres', 'keyturn-admin': 'file:pg-admin' })
      }
      arrange?.()
      const reply = await line.json(['init', 'azure', ...where, '--folder', folder, ...given])
      assert.deepEqual([reply.error?.code, reply.error?.field], [code, field], reply.stdout)
      assert.notEqual(reply.code, 0)
      assert.ok(!existsSync(folder))
    })
})
