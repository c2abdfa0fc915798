import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CloudSqlDouble, type SqlInstance } from '../harness/cloud-sql.js'
import { type Deployed, Packages } from '../harness/gcp-deployed.js'
import { GoogleProject } from '../harness/gcp-project.js'

const first = 'First"%\'ü-0123456789'
const value = JSON.stringify({ username: 'app', password: first, note: 'stays' })

describe('a function of Google Cloud that was built with cloud-sql', () => {
  let packages: Packages
  let project: GoogleProject
  let double: CloudSqlDouble
  let instance: SqlInstance
  before(async () => {
    packages = await Packages.make('cloud-sql')
    double = await CloudSqlDouble.open()
    project = await GoogleProject.open({ 'sqladmin.googleapis.com': double.port })
  })
  after(async () => {
    await project?.close()
    await double?.close()
    await packages?.close()
  })
  beforeEach(() => {
    double.instances.splice(0)
    double.operations.splice(0)
    Object.assign(double, { pendingMs: 100, runningMs: 200 })
    instance = double.make({ version: 'MYSQL_8_0' })
    instance.users.set('app@%', { password: first })
    const { secrets } = project
    secrets.reset()
    const annotations = { 'keyturn-rotator': 'cloud-sql', 'keyturn-instance': 'shop-prod:europe-west3:main', 'keyturn-proven-by': 'answer' }
    const replication = { automatic: {} }
    secrets.do('CreateSecret', { parent: 'projects/p', secretId: 'db', secret: { replication, annotations } })
    const place = { replication, labels: { 'keyturn-role': 'staging' } }
    secrets.do('CreateSecret', { parent: 'projects/p', secretId: 'db--pending', secret: place })
    secrets.do('AddSecretVersion', { parent: 'projects/p/secrets/db', payload: { data: Buffer.from(value) } })
  })
  const latest = (): string => {
    const { versions = [] } = project.secrets.secrets.get('projects/123456789012/secrets/db') ?? {}
    return (JSON.parse(Buffer.from(versions.at(-1)?.data ?? '').toString()) as { password: string }).password
  }
  const has = () => instance.users.get('app@%')?.password
  const ask = async (invoke: Deployed, action: string) => {
    const { status, text } = await invoke.post({ action, ref: 'gcp:projects/p/secrets/db' })
    return { status, text, body: JSON.parse(text) as Readonly<Record<string, unknown>> }
  }

  it('has the rotator that logs in, too, and no other one', async () => {
    const code = await readFile(join(packages.task('work'), 'index.js'), 'utf8')
    assert.match(code, /through its Admin API/)
    assert.match(code, /SCRAM-SHA-256/)
    assert.doesNotMatch(code, /self-issued keys|signing keys of tokens/)
  })

  it('sets the password by the credentials of the platform, publishes it, and says no value', async () => {
    const invoke = await packages.start('invoke', project.env)
    const rotated = await ask(invoke, 'rotate')
    assert.deepEqual([rotated.status, rotated.body.version], [200, '2'], rotated.text)
    assert.equal(has(), latest())
    assert.notEqual(latest(), first)
    const [status, verified] = [await ask(invoke, 'status'), await ask(invoke, 'verify')]
    assert.equal(status.body.proof, 'answer')
    assert.match(String(verified.body.says), /no password can be tried/)
    const said = [await invoke.stop(), rotated.text, status.text, verified.text, JSON.stringify(double.calls.map(({ path }) => path))].join(
      '',
    )
    assert.match(said, /proven_by_answer/)
    for (const text of [first, JSON.stringify(first).slice(1, -1), encodeURIComponent(first), latest()]) assert.ok(!said.includes(text))
  })

  it('killed while the operation runs: the next process sends the same password again', async () => {
    double.runningMs = 3_600_000
    const invoke = await packages.start('invoke', project.env)
    const answer = invoke.post({ action: 'rotate', ref: 'gcp:projects/p/secrets/db' }).catch(() => undefined)
    while (double.operations.length === 0) await delay(20)
    await invoke.signal('SIGKILL')
    await answer
    assert.equal(latest(), first)
    double.runningMs = 200
    const next = await packages.start('invoke', project.env)
    await next.setAhead(20 * 60_000) // the lease of the dead one is over
    const again = await ask(next, 'rotate')
    assert.equal(again.status, 200, again.text)
    assert.equal(new Set(double.operations.map(({ password }) => password)).size, 1)
    assert.equal(has(), latest())
    await next.stop()
  })
})
