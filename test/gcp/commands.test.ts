import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it, mock } from 'node:test'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { callCommand } from '../harness/command-call.js'
import { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'

const ref = 'gcp:projects/p/secrets/db'
const name = 'projects/123456789012/secrets/db'
const topic = 'projects/p/topics/rotations'
const day = 86_400_000
const differs = 'drift: the platform notifies every 7d, and keyturn-every is 30d'
const remedy = `Run keyturn policy ${ref} every=30d: it writes the platform's schedule again.`
const unseen = 'drift cannot be seen: the platform does not show how often it notifies, and keyturn-every is 30d'

/** The commands as they are, but that the store's clients go to the double. */
describe('commands on a secret of Google Cloud with a topic', () => {
  let double: GcpSecretManagerDouble
  let home: string
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'keyturn-gcp-'))
    double = await GcpSecretManagerDouble.open(() => Date.now())
    const { openFrom } = GcpSecretManagerAdmin
    mock.method(GcpSecretManagerAdmin, 'openFrom', (environment: NodeJS.ProcessEnv, env: Parameters<typeof openFrom>[1]) =>
      openFrom(environment, env, () => new SecretManagerServiceClient(double.clientOptions)),
    )
  })
  after(async () => {
    mock.restoreAll()
    await double.close()
    await rm(home, { recursive: true, force: true })
  })
  beforeEach(async () => {
    double.showsPeriod = true
    const secret = { replication: { automatic: {} }, topics: [{ name: topic }] }
    double.do('CreateSecret', { parent: 'projects/p', secretId: 'db', secret })
    double.do('AddSecretVersion', { parent: name, payload: { data: Buffer.from('qX7-mN2_pR9wK4tZ8vB3cL6yH1sD5fGj') } })
    await said('adopt', ref, '--rotator', 'random', 'form=password', 'every=30d')
  })
  afterEach(() => double.reset())

  const said = async (...words: readonly string[]): Promise<string> => {
    const env = { ...process.env, KEYTURN_HOME: home, GOOGLE_CLOUD_PROJECT: 'p' }
    const { code, stdout, stderr } = await callCommand(words, { env, clock: { now: Date.now, sleep: async () => {} } })
    assert.equal(code, 0, `${stdout}${stderr}`)
    return `${stdout}${stderr}`
  }
  const parsed = async (...words: readonly string[]): Promise<Readonly<Record<string, unknown>>> =>
    JSON.parse((await said('--json', ...words)).trim().split('\n').at(-1) ?? '')
  const first = async (...words: readonly string[]) => ((await parsed(...words)).secrets as readonly Record<string, unknown>[])[0]
  const rotation = () => double.secrets.get(name)?.rotation
  /** Somebody writes another schedule past us. */
  const weekly = () => {
    const time = { seconds: Math.floor((Date.now() + 7 * day) / 1000) }
    const secret = { name, rotation: { nextRotationTime: time, rotationPeriod: { seconds: 604_800 } } }
    double.do('UpdateSecret', { secret, updateMask: { paths: ['rotation'] } })
  }

  it('adopt writes the schedule, and nobody says drift', async () => {
    assert.equal(rotation()?.periodMs, 30 * day)
    for (const words of [
      ['status', ref],
      ['list', '--store', 'gcp'],
      ['plan', '--store', 'gcp'],
    ])
      assert.doesNotMatch(await said(...words), /drift/)
    assert.deepEqual([(await parsed('status', ref)).drift, (await first('list', '--store', 'gcp'))?.drift], [null, null])
  })

  it('status, list, plan and doctor say the same drift, and policy puts it right', async () => {
    weekly()
    assert.deepEqual((await parsed('status', ref)).drift, {
      kind: 'differs',
      says: 'the platform notifies every 7d, and keyturn-every is 30d',
      next: remedy,
    })
    const status = await said('status', ref)
    assert.ok(status.includes(differs) && status.includes(remedy), status)
    for (const words of [
      ['list', '--store', 'gcp'],
      ['plan', '--store', 'gcp'],
    ] as const) {
      assert.ok((await said(...words)).includes(differs), words[0])
      assert.equal((await first(...words))?.drift, differs)
    }
    const findings = (await parsed('doctor', '--store', 'gcp')).findings as readonly Record<string, unknown>[]
    const mine = findings.filter(({ what }) => what === ref).map(({ level, says, next }) => [level, says, next])
    assert.deepEqual(mine.at(-1), ['warning', differs, remedy])
    assert.equal(mine[0]?.[0], 'good')
    await said('policy', ref, 'every=30d')
    assert.equal(rotation()?.periodMs, 30 * day)
    assert.doesNotMatch(await said('status', ref), /drift/)
  })

  it('say that drift cannot be seen where the service shows no period', async () => {
    double.showsPeriod = false
    for (const words of [
      ['status', ref],
      ['list', '--store', 'gcp'],
      ['plan', '--store', 'gcp'],
      ['doctor', '--store', 'gcp'],
    ])
      assert.ok((await said(...words)).includes(unseen), words[0])
  })

  it('release takes the schedule away again', async () => {
    await said('release', ref)
    assert.deepEqual([rotation(), [...(double.secrets.get(name)?.annotations.keys() ?? [])]], [undefined, []])
  })
})
