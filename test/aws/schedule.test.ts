import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { storeKind } from '../../shared/core/refs.js'
import { AwsWorld, functionArn, resetRoles } from '../harness/aws-world.js'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles } from '../harness/postgres-world.js'
import type { RotationRules } from '../harness/secrets-manager/model.js'
import { windowOf } from '../harness/secrets-manager/schedule.js'
import { type RotationEvent, SecretsManagerDouble } from '../harness/secrets-manager.js'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const wednesday = Date.UTC(2026, 0, 14, 9, 30)

/** What the service's documentation says of schedules, at the double that everything else is tested with. */
describe("the schedule of the service's double", () => {
  let double: SecretsManagerDouble
  let now = wednesday
  const seen: RotationEvent[] = []
  const fill = async (event: RotationEvent): Promise<undefined> => {
    const { SecretId, ClientRequestToken, Step } = event
    seen.push(event)
    if (Step === 'createSecret')
      double.do('PutSecretValue', {
        SecretId,
        ClientRequestToken,
        SecretString: `value of ${ClientRequestToken}`,
        VersionStages: ['AWSPENDING'],
      })
    const from = [...double.find({ SecretId }).versions.values()].find(({ stages }) => stages.has('AWSCURRENT'))?.id
    if (Step === 'finishSecret')
      double.do('UpdateSecretVersionStage', {
        SecretId,
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: ClientRequestToken,
        RemoveFromVersionId: from,
      })
  }
  beforeEach(async () => {
    now = wednesday
    seen.length = 0
    double = await SecretsManagerDouble.open(() => now)
    double.functions.set(functionArn, fill)
    double.do('CreateSecret', { Name: 'app', SecretString: 'first', ClientRequestToken: double.newId() })
  })
  afterEach(() => double.close())

  const ask = (RotationRules: RotationRules, more: object = {}): void => {
    double.do('RotateSecret', {
      SecretId: 'app',
      ClientRequestToken: double.newId(),
      RotationLambdaARN: functionArn,
      RotationRules,
      RotateImmediately: false,
      ...more,
    })
  }
  const secret = () => double.secrets.get('app') ?? assert.fail()
  const window = (): string => {
    const { opensAt, closesAt } = windowOf(secret(), now) ?? assert.fail('there is no window')
    return `${new Date(opensAt).toISOString().slice(0, 13)} to ${new Date(closesAt).toISOString().slice(0, 13)}`
  }

  it('knows days, hours and cron, with the windows that the service gives them when none is said', async () => {
    for (const [rules, opens] of [
      [{ AutomaticallyAfterDays: 10 }, '2026-01-24T00 to 2026-01-25T00'],
      [{ ScheduleExpression: 'rate(10 days)' }, '2026-01-24T00 to 2026-01-25T00'],
      [{ ScheduleExpression: 'rate(10 days)', Duration: '3h' }, '2026-01-24T00 to 2026-01-24T03'],
      [{ ScheduleExpression: 'rate(6 hours)' }, '2026-01-14T16 to 2026-01-14T17'],
      [{ ScheduleExpression: 'cron(0 8 1 * ? *)' }, '2026-02-01T08 to 2026-02-02T00'],
      [{ ScheduleExpression: 'cron(0 16 ? * SUN *)', Duration: '2h' }, '2026-01-18T16 to 2026-01-18T18'],
      [{ ScheduleExpression: 'cron(0 3 ? * 1#2 *)', Duration: '1h' }, '2026-02-08T03 to 2026-02-08T04'],
      [{ ScheduleExpression: 'cron(0 20 L * ? *)', Duration: '4h' }, '2026-01-31T20 to 2026-02-01T00'],
      [{ ScheduleExpression: 'cron(0 /8 * * ? *)' }, '2026-01-14T16 to 2026-01-14T17'],
    ] as const) {
      ask(rules)
      await double.settled()
      assert.equal(window(), opens, JSON.stringify(rules))
    }
    assert.deepEqual(new Set(seen.map(({ Step }) => Step)), new Set(['testSecret']), 'asked for later, it is only tried now')
    assert.equal(double.do('DescribeSecret', { SecretId: 'app' }).NextRotationDate, Date.UTC(2026, 0, 14, 17) / 1000)
  })

  it('refuses what the service refuses', () => {
    for (const rules of [
      { AutomaticallyAfterDays: 0 },
      { AutomaticallyAfterDays: 1001 },
      { AutomaticallyAfterDays: 3, ScheduleExpression: 'rate(3 days)' },
      { ScheduleExpression: 'rate(3 hours)' },
      { ScheduleExpression: 'rate(1000 days)' },
      { ScheduleExpression: 'cron(5 8 1 * ? *)' },
      { ScheduleExpression: 'cron(0 8 1 * ? 2027)' },
      { ScheduleExpression: 'cron(0 8 1 * * *)' },
      { ScheduleExpression: 'cron(0 25 1 * ? *)' },
      { ScheduleExpression: 'cron(0 8,10 * * ? *)' },
      { ScheduleExpression: 'every day' },
      { ScheduleExpression: `cron(0 8 ${Array.from({ length: 31 }, (_, day) => day + 1).join(',')} ${'1,'.repeat(120)}2 ? *)` },
      { ScheduleExpression: 'cron(0 8 1 * ? *)', Duration: '17h' },
      { ScheduleExpression: 'rate(4 hours)', Duration: '5h' },
      { AutomaticallyAfterDays: 3, Duration: '25h' },
      { AutomaticallyAfterDays: 3, Duration: '100h' },
      { AutomaticallyAfterDays: 3, Duration: '90m' },
    ])
      assert.throws(() => ask(rules), { type: 'InvalidParameterException' }, JSON.stringify(rules))
    assert.equal(secret().rotation.enabled, false)
  })

  it('starts each rotation once in its window; a value by hand counts as one; a missed window is not made up for', async () => {
    ask({ AutomaticallyAfterDays: 2, Duration: '2h' })
    await double.settled()
    const starts: string[] = []
    const until = async (end: number, onHour: () => void = () => undefined): Promise<void> => {
      for (; now < end; now += hourMs) {
        onHour()
        if (double.tick().length > 0) starts.push(new Date(now).toISOString().slice(0, 13))
        await double.settled()
      }
    }
    await until(Date.UTC(2026, 0, 19))
    assert.deepEqual(starts, ['2026-01-16T00', '2026-01-18T00'])
    double.do('PutSecretValue', { SecretId: 'app', ClientRequestToken: double.newId(), SecretString: 'by hand' }) // of the 19th, 00:30
    await until(Date.UTC(2026, 0, 20, 12))
    assert.equal(starts.length, 2, 'the one of the 20th has gone to the 21st')
    await until(Date.UTC(2026, 0, 21, 0, 45))
    assert.equal(starts.at(-1), '2026-01-21T00')
    now = Date.UTC(2026, 0, 23, 5) // nobody ran the clock during the window
    assert.deepEqual(double.tick(), [])
    assert.equal(window(), '2026-01-25T00 to 2026-01-25T02')
    double.do('CancelRotateSecret', { SecretId: 'app' })
    await until(Date.UTC(2026, 1, 1))
    assert.equal(starts.length, 3)
  })

  it('goes on with what is not complete, under its own token', async () => {
    let broken = true
    double.attemptsMax = 2
    double.functions.set(functionArn, async (event) => (broken && event.Step === 'setSecret' ? 'out of reach' : fill(event)))
    ask({ ScheduleExpression: 'rate(1 day)' })
    await double.settled()
    now = Date.UTC(2026, 0, 15, 1)
    assert.deepEqual(double.tick(), ['app'])
    await double.settled()
    assert.equal(double.events.at(-1)?.name, 'RotationFailed')
    assert.deepEqual(double.tick(), [], 'not again in the same window')
    broken = false
    now += dayMs
    assert.deepEqual(double.tick(), ['app'])
    await double.settled()
    assert.equal(double.events.at(-1)?.name, 'RotationSucceeded')
    assert.equal(new Set(seen.filter(({ Step }) => Step !== 'testSecret').map(({ ClientRequestToken }) => ClientRequestToken)).size, 1)
  })
})

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
describe('the function under a year of the schedule, on a real PostgreSQL', { skip }, () => {
  let server: PostgresServer
  let world: AwsWorld
  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  beforeEach(async () => {
    await resetRoles(server)
    world = await AwsWorld.open(server)
  })
  afterEach(() => world.close())
  after(async () => {
    await server?.stop()
    await removeCopies()
  })

  it('thirteen rotations by the clock, each of a value that logs in; one by hand between them moves the next', async () => {
    const arn = world.make('app', world.value('app'))
    const ref = { store: storeKind('aws'), key: arn, shown: 'aws:app', name: 'app' }
    const passwords = new Set([world.loginOf(arn).password])
    let started = 0
    for (let day = 0; day < 366; day++) {
      world.skewMs += dayMs
      if (day === 200) {
        const { nextAt } = (await world.store.describe(ref)).native ?? assert.fail()
        await world.rotate(arn)
        const moved = (await world.store.describe(ref)).native?.nextAt ?? 0
        assert.ok(moved > (nextAt ?? 0), 'a rotation by hand counts')
        passwords.add(world.loginOf(arn).password)
      }
      if (world.double.tick().length === 0) continue
      await world.double.settled()
      started++
      const { username, password } = world.loginOf(arn)
      assert.ok(!passwords.has(password), `day ${day}: a new value`)
      assert.ok(await logsIn(server, username, password), `day ${day}`)
      passwords.add(password)
    }
    assert.ok(started === 11 || started === 12, `${started} by the clock, ${passwords.size} values`)
    assert.deepEqual(
      world.double.events.filter(({ name }) => name === 'RotationFailed'),
      [],
    )
  })
})
