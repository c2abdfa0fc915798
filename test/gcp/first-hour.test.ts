import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { firstPassword, startServer, valueFor } from '../harness/cli-postgres.js'
import { GcpCommandLine } from '../harness/gcp-command-line.js'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, removeCopies } from '../harness/postgres-server.js'

const page = readFileSync('docs/gcp.md', 'utf8')
const [, block = ''] = /## First hour\n.*?```sh\n(.*?)```/s.exec(page) ?? []
const lines = block
  .split('\n')
  .map((line) => line.replace(/ +#.*$/, ''))
  .filter((line) => line !== '')
const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

it('the first hour on docs/gcp.md has at most ten commands', () => {
  assert.ok(lines.length > 5 && lines.length <= 10, String(lines.length))
  for (const line of lines) assert.match(line, /^(gcloud auth application-default login|export [A-Z_]+=[a-z-]+|keyturn [a-z].*)$/)
})

it('each command of it does what the page says, on a secret that was there before', { skip }, async () => {
  const server = await startServer()
  const line = await GcpCommandLine.open()
  const { double } = line
  const [, project = ''] = /export GOOGLE_CLOUD_PROJECT=(\S+)/.exec(block) ?? []
  double.names.projects.set(project, '345678901234')
  line.env = { ...line.env, GOOGLE_CLOUD_PROJECT: project }
  const secret = { replication: { automatic: {} }, labels: { team: 'shop' } }
  double.do('CreateSecret', { parent: `projects/${project}`, secretId: 'db', secret })
  const value = valueFor(server, 'app', firstPassword)
  double.do('AddSecretVersion', { parent: `projects/${project}/secrets/db`, payload: { data: Buffer.from(value) } })
  const kept = () => double.secrets.get('projects/345678901234/secrets/db') ?? assert.fail('it is gone')
  try {
    const said: string[] = []
    for (const command of lines.filter((one) => one.startsWith('keyturn '))) {
      const { code, stdout, stderr } = await line.run(command.split(' ').slice(1))
      assert.equal(code, 0, `${command}: ${stderr}`)
      said.push(stdout)
    }
    assert.match(said[0] ?? '', new RegExp(`gcp:projects/${project}/secrets/db`))
    assert.equal(await logsIn(server, 'app', firstPassword), false)
    const { password } = JSON.parse(Buffer.from(kept().versions[1]?.data ?? '').toString()) as { password: string }
    assert.equal(await logsIn(server, 'app', password), true)
    assert.equal(kept().labels.get('team'), 'shop')
    assert.deepEqual(Object.fromEntries(kept().aliases), { current: 2, previous: 1 })
    assert.equal((await line.run(['release', 'gcp:db'])).code, 0)
    assert.deepEqual([[...double.secrets.keys()], kept().annotations.size], [[kept().name], 0])
  } finally {
    await line.close()
    await server.stop()
    await removeCopies()
  }
})
