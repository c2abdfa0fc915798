import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { AwsWorld, type Instances, resetRoles } from '../harness/aws-world.js'
import { asSuper, loginsIn, logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword } from '../harness/postgres-world.js'
import { RdsDouble } from '../harness/rds.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const done = undefined
const refused = /bad_event: The target does not accept the pending value .*createSecret, setSecret and testSecret first/
const nothingThere = /bad_event: .*before createSecret had stored a value/
/** All that finish may cost: a look and a label, and where nothing was tested here the value and one login. */
const warmCalls = ['DescribeSecret', 'UpdateSecretVersionStage']
const coldCalls = ['DescribeSecret', 'GetSecretValue', 'UpdateSecretVersionStage']

describe('finishSecret, whatever was called before it, on a real PostgreSQL', { skip }, () => {
  let server: PostgresServer
  const opened: { close(): Promise<void> }[] = []
  const open = async (instances: Instances = {}): Promise<AwsWorld> => {
    const world = await AwsWorld.open(server, instances)
    opened.push(world)
    world.double.attemptsMax = 0
    return world
  }
  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  beforeEach(() => resetRoles(server))
  after(async () => {
    for (const one of opened) await one.close()
    await server?.stop()
    await removeCopies()
  })
  type Call = (Step: string, more?: object) => Promise<string | undefined>
  /** A rotation that the service has begun, with a placeholder as AWSPENDING. */
  async function begin(world: AwsWorld, arn: string, rotationToken?: string): Promise<{ token: string; call: Call }> {
    const token = await world.rotate(arn)
    const RotationToken = rotationToken === undefined ? {} : { RotationToken: rotationToken }
    const call: Call = (Step, more = {}) => world.invoke({ Step, SecretId: arn, ClientRequestToken: token, ...RotationToken, ...more })
    return { token, call }
  }
  const alternate = (world: AwsWorld): string =>
    world.make('plain', world.value('plain', firstPassword, { masterarn: world.make('admin', world.adminValue()) }))
  async function costOf(world: AwsWorld, act: () => Promise<unknown>) {
    world.double.calls.length = 0
    server.clearLog()
    await act()
    return { calls: world.double.calls.map(({ name }) => name).sort(), ...loginsIn(server.log) }
  }
  async function assertPublished(world: AwsWorld, arn: string, token: string): Promise<void> {
    assert.ok(world.stagesOf(arn)[token]?.includes('AWSCURRENT'), world.said.join(''))
    const { username, password } = world.loginOf(arn)
    assert.notEqual(password, firstPassword)
    assert.ok(await logsIn(server, username, password))
  }

  for (const rotationToken of ['rt-0123456789', undefined]) {
    const by = rotationToken === undefined ? 'without a RotationToken' : 'with its RotationToken'
    for (const cold of [false, true]) {
      const name = `${cold ? 'each step on a cold instance' : 'warm'}, ${by}`

      it(`${name}: alone, it publishes nothing, also right after testSecret saw AWSPENDING empty`, async () => {
        const world = await open({ cold })
        const arn = world.make('app', world.value('app'))
        const { token, call } = await begin(world, arn, rotationToken)
        const before_ = JSON.stringify([world.stagesOf(arn), world.valueOf(arn)])
        assert.match((await call('finishSecret')) ?? 'done', nothingThere)
        assert.equal(await call('testSecret'), done, 'current logs in')
        assert.match((await call('finishSecret')) ?? 'done', nothingThere)
        assert.equal(JSON.stringify([world.stagesOf(arn), world.valueOf(arn)]), before_)
        assert.deepEqual(world.stagesOf(arn)[token], ['AWSPENDING'])
      })

      for (const strategy of ['replace', 'alternate'] as const) {
        it(`${name}, ${strategy}: after createSecret alone it is refused, once; nothing is given up, and the right order publishes`, async () => {
          const world = await open({ cold })
          const arn = strategy === 'replace' ? world.make('app', world.value('app')) : alternate(world)
          const { token, call } = await begin(world, arn, rotationToken)
          const before_ = world.valueOf(arn)
          assert.equal(await call('createSecret'), done)
          const pending = world.valueOf(arn, 'AWSPENDING')
          const cost = await costOf(world, async () => assert.match((await call('finishSecret')) ?? 'done', refused))
          assert.deepEqual([cost.accepted, cost.refused], [0, 1])
          assert.deepEqual([world.valueOf(arn), world.valueOf(arn, 'AWSPENDING')], [before_, pending])
          assert.deepEqual(world.stagesOf(arn)[token], ['AWSPENDING'])
          for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret']) assert.equal(await call(step), done, step)
          await assertPublished(world, arn, token)
          assert.equal(world.valueOf(arn), pending)
        })
      }

      it(`${name}: after createSecret and setSecret it logs in itself, and publishes; again, it does nothing`, async () => {
        const world = await open({ cold })
        const arn = world.make('app', world.value('app'))
        const { token, call } = await begin(world, arn, rotationToken)
        for (const step of ['createSecret', 'setSecret']) assert.equal(await call(step), done, step)
        const cost = await costOf(world, async () => assert.equal(await call('finishSecret'), done))
        assert.deepEqual(cost, { calls: coldCalls, accepted: 1, refused: 0 })
        await assertPublished(world, arn, token)
        const again = await costOf(world, async () => assert.equal(await call('finishSecret'), done))
        assert.deepEqual(again, { calls: ['DescribeSecret'], accepted: 0, refused: 0 })
      })
    }
  }

  it('what this instance tested under this token costs a look and a label; on another instance a read and a login more', async () => {
    for (const [gone, expected] of [
      [false, { calls: warmCalls, accepted: 0, refused: 0 }],
      [true, { calls: coldCalls, accepted: 1, refused: 0 }],
    ] as const) {
      for (const strategy of ['replace', 'alternate'] as const) {
        await resetRoles(server)
        const world = await open()
        const arn = strategy === 'replace' ? world.make('app', world.value('app')) : alternate(world)
        const { token, call } = await begin(world, arn, 'rt-0123456789')
        for (const step of ['createSecret', 'setSecret', 'testSecret']) assert.equal(await call(step), done, step)
        if (gone) world.crash()
        const cost = await costOf(world, async () => assert.equal(await call('finishSecret'), done))
        assert.deepEqual(cost, expected, `${strategy}, ${gone ? 'another instance' : 'the same one'}`)
        await assertPublished(world, arn, token)
      }
    }
  })

  it('a test under another token, before another version was current, or a quarter of an hour ago, is no test of this value', async () => {
    const troubles: Readonly<Record<string, (world: AwsWorld, arn: string, call: Call) => Promise<unknown>>> = {
      'another token': (world, _arn, call) => call('testSecret', { ClientRequestToken: world.double.newId() }),
      'current moved by hand': async (world, arn) => {
        const { versions } = world.double.find({ SecretId: arn })
        const id = world.double.newId()
        const base = [...versions.values()].find(({ stages }) => stages.has('AWSCURRENT'))
        versions.set(id, { id, createdAt: 0, value: world.value('app', firstPassword, { moved: true }), stages: new Set() })
        const to = { SecretId: arn, VersionStage: 'AWSCURRENT', MoveToVersionId: id, RemoveFromVersionId: base?.id }
        world.double.do('UpdateSecretVersionStage', to)
      },
      'a quarter of an hour': async (world) => {
        world.skewMs += 15 * 60_000
      },
    }
    for (const [name, trouble] of Object.entries(troubles)) {
      await resetRoles(server)
      const world = await open()
      const arn = world.make('app', world.value('app'))
      const { token, call } = await begin(world, arn, 'rt-0123456789')
      for (const step of ['createSecret', 'setSecret', 'testSecret']) assert.equal(await call(step), done, step)
      await trouble(world, arn, call)
      const cost = await costOf(world, async () => assert.equal(await call('finishSecret'), done))
      assert.equal(cost.accepted, 1, name)
      await assertPublished(world, arn, token)
    }
  })

  it('a login that somebody changed since: refused on another instance, and the value is kept', async () => {
    const world = await open()
    const arn = world.make('app', world.value('app'))
    const { token, call } = await begin(world, arn, 'rt-0123456789')
    for (const step of ['createSecret', 'setSecret', 'testSecret']) assert.equal(await call(step), done, step)
    const { password } = world.loginOf(arn, 'AWSPENDING')
    await asSuper(server, "alter role app password 'changed-by-hand-0123456789'")
    world.crash()
    assert.match((await call('finishSecret')) ?? 'done', refused)
    assert.deepEqual(world.stagesOf(arn)[token], ['AWSPENDING'])
    assert.equal(world.loginOf(arn).password, firstPassword)
    assert.ok(!world.said.join('').includes(password) && !world.said.join('').includes('rt-0123456789'))
  })

  it('rds: refused before setSecret without a wait, and published after it, by a login at the endpoint', async () => {
    const world = await open({ remainingMs: 300_000, cold: true })
    const rds = await RdsDouble.open()
    opened.push(rds)
    rds.now = () => Date.now() + world.skewMs
    rds.onEffect = async ({ masterUser }, password) => void (await asSuper(server, `alter role ${masterUser} password '${password}'`))
    const place = { kind: 'instance', id: 'main', host: '127.0.0.1', port: server.port } as const
    rds.databases.push({ ...place, engine: 'postgres', status: 'available', masterUser: 'app' })
    const arn = world.make('master', world.value('app', firstPassword, { dbInstanceIdentifier: 'main' }), { 'keyturn-rotator': 'rds' })
    const { token, call } = await begin(world, arn, 'rt-0123456789')
    assert.equal(await call('createSecret'), done)
    const { skewMs } = world
    const early = await costOf(world, async () => assert.match((await call('finishSecret')) ?? 'done', refused))
    assert.deepEqual([early.accepted, early.refused, rds.calls.length, world.skewMs], [0, 1, 0, skewMs])
    assert.equal(await call('setSecret'), done)
    rds.calls.length = 0
    const cost = await costOf(world, async () => assert.equal(await call('finishSecret'), done))
    assert.deepEqual([cost, rds.calls.length], [{ calls: coldCalls, accepted: 1, refused: 0 }, 0])
    await assertPublished(world, arn, token)
  })

  it('a companion that comes before gets no value that was not accepted', async () => {
    const world = await open({ environment: { KEYTURN_CONFIG: 'aws:config' } })
    const put = (name: string, value: string): string =>
      String(world.double.do('CreateSecret', { Name: name, SecretString: value, ClientRequestToken: world.double.newId() }).ARN)
    const copy = put('copy', '{}')
    world.double.mayList = (id) => id === copy
    put('config', JSON.stringify({ companions: { copy: { content: 'copy', of: 'aws:app', at: copy, order: 'before' } } }))
    const arn = world.make('app', world.value('app'), { 'keyturn-rotator': 'postgres', 'keyturn-companions': 'copy' })
    const { token, call } = await begin(world, arn, 'rt-0123456789')
    assert.equal(await call('createSecret'), done)
    assert.match((await call('finishSecret')) ?? 'done', refused)
    assert.equal(world.valueOf(copy), '{}')
    for (const step of ['setSecret', 'finishSecret']) assert.equal(await call(step), done, `${step}: ${world.said.at(-1)}`)
    await assertPublished(world, arn, token)
    assert.equal(world.valueOf(copy), world.valueOf(arn))
  })
})
