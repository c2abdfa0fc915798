import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { AzureCommandLine } from '../harness/azure-command-line.js'
import { azuriteSkip } from '../harness/azurite.js'
import { firstPassword, startServer, valueFor } from '../harness/cli-postgres.js'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, removeCopies } from '../harness/postgres-server.js'

const page = readFileSync('docs/azure.md', 'utf8')
const [, block = ''] = /## First hour\n.*?```sh\n(.*?)```/s.exec(page) ?? []
const lines = block
  .split('\n')
  .map((line) => line.replace(/ +#.*$/, ''))
  .filter((line) => line !== '')
const skip = azuriteSkip || (binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS')

it('the first hour on docs/azure.md has at most ten commands', () => {
  assert.ok(lines.length > 5 && lines.length <= 10, String(lines.length))
  for (const line of lines) assert.match(line, /^(az login|export [A-Z_]+=[a-z-]+|keyturn [a-z].*)$/)
})

it('each command of it does what the page says, on a secret that was there before', { skip }, async () => {
  const server = await startServer()
  const line = await AzureCommandLine.open()
  const { double } = line
  const exported = [...block.matchAll(/^export ([A-Z_]+)=(\S+)/gm)].map(([, name = '', text = '']) => [name, text] as const)
  line.env = { ...line.env, ...Object.fromEntries(exported) }
  const { KEYTURN_AZURE_VAULTS: vault = '' } = line.env
  double.addVault(vault)
  double.writeForeign('db', valueFor(server, 'app', firstPassword), { tags: { team: 'shop' }, contentType: 'application/json' }, vault)
  const newest = () => double.versions('db', vault).at(-1) ?? assert.fail('it is gone')
  try {
    const said: string[] = []
    const counted: Record<string, readonly number[]> = {}
    for (const command of lines.filter((one) => one.startsWith('keyturn '))) {
      double.calls.length = 0
      line.blobs.calls.length = 0
      const { code, stdout, stderr } = await line.run(command.split(' ').slice(1))
      assert.equal(code, 0, `${command}: ${stderr}`)
      said.push(stdout)
      counted[command] = [double.count(), double.writes(), double.writes('consumer'), line.blobs.calls.length]
    }
    // As the page counts them: calls of the vault, writes among them, those of the secret itself, and calls of the blob.
    assert.deepEqual(counted['keyturn rotate azure:db'], [22, 3, 1, 13])
    assert.match(said[0] ?? '', new RegExp(`azure:${vault}/db`))
    assert.equal(await logsIn(server, 'app', firstPassword), false)
    const { password } = JSON.parse(newest().value) as { password: string }
    assert.equal(await logsIn(server, 'app', password), true)
    assert.deepEqual([double.versions('db', vault).length, newest().contentType, newest().tags?.team], [2, 'application/json', 'shop'])
    assert.deepEqual(Object.keys(newest().tags ?? {}).sort(), ['keyturn-at', 'keyturn-base', 'keyturn-policy', 'keyturn-token', 'team'])
    const days = ((newest().expires ?? 0) * 1000 - line.clock.now()) / 86_400_000
    assert.equal(Math.round(days), 60)
    assert.deepEqual(Object.keys(await line.documents()), [`keyturn/${vault}.vault.azure.net/db`])

    assert.equal((await line.run(['release', 'azure:db'])).code, 0)
    assert.deepEqual([Object.keys(newest().tags ?? {}), await line.documents()], [['team'], {}])
    assert.ok(double.versions('db-pending', vault).every(({ enabled }) => !enabled))
  } finally {
    await line.close()
    await server.stop()
    await removeCopies()
  }
})
