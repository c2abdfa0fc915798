import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { openAws } from '../harness/aws.js'
import { AwsWorld, type Instances, resetRoles } from '../harness/aws-world.js'
import { asSuper, loginsIn, logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword } from '../harness/postgres-world.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

describe("what locks the vendor's functions out, on a real PostgreSQL", { skip }, () => {
  let server: PostgresServer
  const opened: AwsWorld[] = []
  const open = async (instances: Instances = {}): Promise<AwsWorld> => {
    const world = await AwsWorld.open(server, instances)
    opened.push(world)
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
  const call = (world: AwsWorld, arn: string, token: string) => (Step: string) =>
    world.invoke({ Step, SecretId: arn, ClientRequestToken: token, RotationToken: 'rt-0123456789' })
  const strip = (world: AwsWorld, arn: string, token: string) =>
    world.double.do('UpdateSecretVersionStage', { SecretId: arn, VersionStage: 'AWSPENDING', RemoveFromVersionId: token })
  /** A rotation that died after set, whose mark an operator takes away, as the usual advice says. */
  const stripped = async (world: AwsWorld, arn: string): Promise<string> => {
    world.double.attemptsMax = 0
    const token = await world.rotate(arn)
    for (const step of ['createSecret', 'setSecret']) assert.equal(await call(world, arn, token)(step), undefined)
    strip(world, arn, token)
    world.double.find({ SecretId: arn }).rotation = { ...world.double.find({ SecretId: arn }).rotation, attempts: 0 }
    delete world.double.find({ SecretId: arn }).rotation.inFlight
    world.double.attemptsMax = 1
    return token
  }

  it('AWSPENDING stripped after set, then a new rotation: with an administrator current works again', async () => {
    const world = await open()
    const admin = world.make('admin', world.adminValue())
    const arn = world.make('app', world.value('app'), { 'keyturn-rotator': 'postgres', 'keyturn-admin': `aws:${admin}` })
    await stripped(world, arn)
    await world.rotate(arn)
    const { password } = world.loginOf(arn)
    assert.ok(await logsIn(server, 'app', password))
    assert.notEqual(password, firstPassword)
  })

  it('the same without one: stuck, nothing destroyed, no login any more; recover publishes the version without a label', async () => {
    const world = await open()
    const arn = world.make('app', world.value('app'))
    const lost = await stripped(world, arn)
    const versions = world.double.find({ SecretId: arn }).versions.size
    const pending = await world.rotate(arn)
    assert.match(world.double.events.at(-2)?.detail ?? '', /setSecret: stuck: /)
    assert.ok(world.stagesOf(arn)[pending]?.includes('KEYTURN_STUCK'))
    assert.equal(world.double.find({ SecretId: arn }).versions.size, versions + 1)
    server.clearLog()
    await world.again(arn)
    assert.deepEqual(loginsIn(server.log), { accepted: 0, refused: 0 })
    const looked = await recover(world.deps(), world.store, `aws:${arn}`, false)
    assert.deepEqual([looked.action.do, 'version' in looked.action && looked.action.version], ['restore', lost])
    const { done } = await recover(world.deps(), world.store, `aws:${arn}`, true)
    assert.ok(done)
    const labels = Object.values(world.stagesOf(arn)).flat()
    assert.deepEqual(labels.sort(), ['AWSCURRENT', 'AWSPREVIOUS'])
    assert.ok(await logsIn(server, 'app', world.loginOf(arn).password))
    await world.rotate(arn)
    assert.equal(world.double.events.at(-1)?.name, 'RotationSucceeded', world.said.join(''))
  })

  it('an administrator of another host: admin_mismatch, and no connection is made', async () => {
    const world = await open()
    const admin = world.make('admin', world.adminValue({ host: 'elsewhere.invalid' }))
    const arn = world.make('plain', world.value('plain', firstPassword, { masterarn: admin }))
    server.clearLog()
    const token = await world.rotate(arn)
    assert.match(world.double.events.at(-2)?.detail ?? '', /setSecret: admin_mismatch: /)
    assert.doesNotMatch(server.log, /connection received/)
    world.double.do('PutSecretValue', { SecretId: admin, SecretString: world.adminValue(), ClientRequestToken: world.double.newId() })
    await world.again(arn)
    assert.deepEqual(world.stagesOf(arn)[token], ['AWSCURRENT'])
  })

  it('a put by hand in the middle abandons the rotation: what follows is refused, and the value that was put stays', async () => {
    const world = await open()
    const arn = world.make('app', world.value('app'))
    world.double.attemptsMax = 0
    const token = await world.rotate(arn)
    assert.equal(await call(world, arn, token)('createSecret'), undefined)
    world.double.do('PutSecretValue', {
      SecretId: arn,
      SecretString: world.value('app', firstPassword, { note: 1 }),
      ClientRequestToken: world.double.newId(),
    })
    for (const step of ['setSecret', 'testSecret', 'finishSecret'])
      assert.match((await call(world, arn, token)(step)) ?? '', /token_spent/, step)
    assert.match(world.valueOf(arn), /"note":1/)
    assert.ok(await logsIn(server, 'app', firstPassword))
  })

  it('AWSCURRENT moved by hand between create and set: the kept description is not trusted', async () => {
    const world = await open()
    const arn = world.make('app', world.value('app'))
    world.double.attemptsMax = 0
    const token = await world.rotate(arn)
    assert.equal(await call(world, arn, token)('createSecret'), undefined)
    const secret = world.double.find({ SecretId: arn })
    const other = world.double.newId()
    secret.versions.set(other, { id: other, createdAt: 0, value: world.value('app', firstPassword, { moved: true }), stages: new Set() })
    const base = [...secret.versions.values()].find(({ stages }) => stages.has('AWSCURRENT'))
    world.double.do('UpdateSecretVersionStage', {
      SecretId: arn,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: other,
      RemoveFromVersionId: base?.id,
    })
    for (const step of ['setSecret', 'testSecret', 'finishSecret']) assert.equal(await call(world, arn, token)(step), undefined, step)
    assert.ok(await logsIn(server, 'app', world.loginOf(arn).password))
    assert.deepEqual(secret.versions.get(other)?.stages, new Set(['AWSPREVIOUS']))
  })

  it('faults at every call of the service: answers that are lost, errors, throttling, stale reads', async () => {
    const rehearsal = await open()
    const dry = rehearsal.make('app', rehearsal.value('app'))
    await rehearsal.rotate(dry)
    const calls = rehearsal.double.calls.length
    assert.ok(calls >= 8)
    for (const fault of ['drop', 'cut', 'error', 'throttle', 'stale'] as const) {
      for (let at = 1; at <= calls; at++) {
        await resetRoles(server)
        const world = await open({ cold: at % 2 === 0 })
        const arn = world.make('app', world.value('app'))
        world.double.attemptsMax = 3
        world.double.fault = (_, n) => (n === at ? fault : undefined)
        await world.rotate(arn)
        const { password } = world.loginOf(arn)
        assert.ok(await logsIn(server, 'app', password), `${fault} at ${at}: ${world.said.join('')}`)
        assert.equal(world.double.events.at(-1)?.name, 'RotationSucceeded', `${fault} at ${at}: ${world.said.join('')}`)
        assert.equal(world.double.find({ SecretId: arn }).versions.size, 2, `${fault} at ${at}`)
        assert.ok(!world.said.join('').includes(password) && !world.said.join('').includes(firstPassword))
      }
    }
  })

  it('testSecret on a cold instance that is told for seconds that there is no such version: nothing untested is published', async () => {
    const world = await open({ cold: true, remainingMs: 60_000 })
    const admin = world.make('admin', world.adminValue())
    const arn = world.make('plain', world.value('plain', firstPassword, { masterarn: admin }))
    const invoke = world.invoke.bind(world)
    let [step, missed] = ['', 0]
    world.invoke = async (event) => {
      step = (event as { Step: string }).Step
      if (step === 'testSecret') await asSuper(server, "alter role plain_clone password 'not-what-was-set-0123456789'")
      return invoke(event)
    }
    world.double.fault = ({ name, input }) =>
      step === 'testSecret' && name === 'GetSecretValue' && 'VersionId' in input && missed++ < 4
        ? { type: 'ResourceNotFoundException', message: 'not yet' }
        : undefined
    await world.rotate(arn)
    assert.ok(missed > 4)
    assert.equal(world.loginOf(arn).username, 'plain', 'what does not log in was not published')
  })

  it('a service that never answers: an error after ten seconds, not a process that hangs', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    const world = await open()
    const store = openAws(`http://127.0.0.1:${port}`, world.env)
    const from = performance.now()
    await assert.rejects(
      store.resolve('app').then((ref) => store.describe(ref)),
      (cause) => store.classify(cause) === 'unavailable',
    )
    assert.ok(performance.now() - from > 5000, 'it did wait')
    silent.closeAllConnections()
    await new Promise((resolve) => silent.close(resolve))
  })

  it('the quota of writes: one call a second is waited for, not failed on', async () => {
    const world = await open({ remainingMs: 60_000 })
    world.double.now = () => Date.now() + world.skewMs
    const arn = world.make('app', world.value('app'))
    world.skewMs += 60_000
    world.double.writesPerSecondMax = 1
    world.double.attemptsMax = 5
    await world.rotate(arn)
    assert.equal(world.double.events.at(-1)?.name, 'RotationSucceeded', world.said.join(''))
    assert.ok(await logsIn(server, 'app', world.loginOf(arn).password))
  })

  it('a service that answers slowly, at every call: nothing is sent twice', async () => {
    const world = await open()
    const arn = world.make('app', world.value('app'))
    world.double.fault = () => ({ slowMs: 300 })
    await world.rotate(arn)
    assert.equal(world.double.events.at(-1)?.name, 'RotationSucceeded', world.said.join(''))
    assert.deepEqual([world.double.count('PutSecretValue'), world.double.count('UpdateSecretVersionStage')], [1, 1])
  })

  it('every code that leaves the function is one of the table, with its next step and without a stack', async () => {
    const world = await open()
    const arn = world.make('app', world.value('app', firstPassword, { port: 1 }))
    await world.rotate(arn)
    const detail = world.double.events.at(-2)?.detail ?? ''
    assert.match(detail, /^setSecret: target_unreachable: target_unreachable: .*ECONNREFUSED.*Check host/)
    assert.ok(!world.said.some((line) => /\n\s+at /.test(line)))
    const broken = world.make('broken', `{"engine":"postgres","password":"${firstPassword}`)
    await world.rotate(broken)
    assert.match(world.double.events.at(-2)?.detail ?? '', /createSecret: bad_policy: /)
    assert.ok(!world.said.join('').includes(firstPassword))
    assert.equal(codeOf(new Error('x')), undefined)
  })
})
