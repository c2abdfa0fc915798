import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { RotationError } from '../../shared/core/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { adopt, changePolicy, verifyCurrent } from '../../shared/lifecycle/secret/adopt.js'
import { gcpHarness } from '../harness/gcp.js'
import { World } from '../harness/world.js'

const parent = 'projects/p/locations/europe-west3'
const shown = `gcp:${parent}/secrets/managed`
const text = '{"username":"app","password":"of-the-service-0123456789","note":"stays"}'
const policy = { 'keyturn-rotator': 'cloud-sql', 'keyturn-instance': 'shop-prod:main', 'keyturn-proven-by': 'answer' }

describe('a secret that Secret Manager rotates itself', () => {
  let harness: Awaited<ReturnType<typeof gcpHarness>>
  let world: World
  before(async () => {
    harness = await gcpHarness('one clock')
    world = await World.open('a', async () => harness.store, 'managed')
  })
  after(() => harness.close())

  /** `annotations`: as if it had been adopted before it became one. */
  function make(how: 'by its type' | 'by its active rotation', annotations = {}): void {
    const { double } = harness
    double.secrets.delete('projects/123456789012/locations/europe-west3/secrets/managed')
    const secret = { annotations, ...(how === 'by its type' ? { secretType: 'CLOUD_SQL_DB_CREDENTIALS' as const } : {}) }
    const { name } = double.do('CreateSecret', { parent, secretId: 'managed', secret })
    double.do('AddSecretVersion', { parent: `${parent}/secrets/managed`, payload: { data: Buffer.from(text) } })
    const made = double.secrets.get(name ?? '') ?? assert.fail(`no ${name}`)
    if (how === 'by its active rotation') made.managed = 'ACTIVE'
  }
  const deps = () => ({ ...world.deps('a person'), store: harness.another() })
  const admin = () => harness.another()
  const request = { ref: shown, at: 0 } as const
  const commands: Readonly<Record<string, () => Promise<unknown>>> = {
    rotate: () => rotate(deps(), { ...request, kind: 'rotate' }),
    emergency: () => rotate(deps(), { ...request, kind: 'emergency', reason: 'leaked' }),
    resume: () => rotate(deps(), { ...request, kind: 'resume' }),
    rollback: () => rotate(deps(), { ...request, kind: 'rollback', reason: 'back' }),
    put: () => rotate(deps(), { ...request, kind: 'put' }, new SecretText(text)),
    adopt: () => adopt(deps(), admin(), shown, policy),
    policy: () => changePolicy(deps(), admin(), shown, policy),
    recover: () => recover(deps(), admin(), shown, true),
    verify: () => verifyCurrent(deps(), shown),
    status: () => statusOf(deps(), shown),
    announce: () => announce(deps(), shown),
  }

  for (const how of ['by its type', 'by its active rotation'] as const) {
    for (const [name, command] of Object.entries(commands))
      it(`${name}: recognised ${how}, named, and nothing of it is written`, async () => {
        make(how)
        const before_ = structuredClone([...harness.double.secrets])
        await assert.rejects(command(), (cause: unknown) => {
          assert.ok(cause instanceof RotationError, String(cause))
          assert.deepEqual([cause.code, cause.field], ['managed_elsewhere', 'ref'])
          assert.match(cause.message, /managed is left alone: Secret Manager rotates it itself \(managed rotation of Cloud SQL/)
          assert.match(cause.next, /keyturn-rotator=cloud-sql/)
          return true
        })
        assert.deepEqual(structuredClone([...harness.double.secrets]), before_)
      })
  }

  it('a sweep names it where it has a policy from before, and goes on', async () => {
    make('by its type', policy)
    const before_ = structuredClone([...harness.double.secrets])
    const said: string[] = []
    const store = harness.another()
    Object.assign(store, {
      list: async function* () {
        yield { ref: { store: 'gcp', key: `${parent}/secrets/managed`, shown, name: 'managed' }, policy, drivenBy: 'engine' }
      },
    })
    for await (const one of sweep({ ...deps(), store })) said.push(`${one.ref} ${one.code}`)
    assert.deepEqual(said, [`${shown} managed_elsewhere`])
    assert.deepEqual(structuredClone([...harness.double.secrets]), before_)
  })

  it('is read all the same, and one whose managed rotation has ended is a secret like every other', async () => {
    make('by its type')
    assert.equal((await harness.another().readCurrent(shown)).value.reveal(), text)
    make('by its active rotation')
    for (const one of harness.double.secrets.values()) if (one.managed) one.managed = 'INACTIVE'
    assert.equal((await statusOf(deps(), shown)).state.current?.id, '1')
  })
})
