import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { AwsWorld, type Instances, resetRoles } from '../harness/aws-world.js'
import { loginsIn, logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword } from '../harness/postgres-world.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

describe('the rotation function of AWS on a real PostgreSQL', { skip }, () => {
  let server: PostgresServer
  let world: AwsWorld
  const opened: AwsWorld[] = []
  const open = async (instances: Instances = {}): Promise<AwsWorld> => {
    world = await AwsWorld.open(server, instances)
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
  const alternate = () => {
    const admin = world.make('admin', world.adminValue())
    return world.make('plain', world.value('plain', firstPassword, { masterarn: admin }))
  }

  for (const [cold, most] of [
    [false, { replace: 8, alternate: 10 }],
    [true, { replace: 11, alternate: 13 }],
  ] as const) {
    for (const strategy of ['replace', 'alternate'] as const) {
      for (const tagged of [false, true]) {
        it(`${strategy}, ${cold ? 'each step on a cold instance' : 'warm'}, ${tagged ? 'by tags' : 'by its value alone'}: at most ${most[strategy]} calls, ${cold ? 'three' : 'two'} connections, no refused login`, async () => {
          await open({ cold })
          const arn = strategy === 'replace' ? world.make('app', world.value('app')) : alternate()
          if (tagged) {
            const tags = {
              'keyturn-rotator': 'postgres',
              ...(strategy === 'replace'
                ? {}
                : { 'keyturn-strategy': 'alternate', 'keyturn-admin': 'aws:admin', 'keyturn-differences': 'report' }),
            }
            world.double.do('TagResource', { SecretId: arn, Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) })
          }
          await world.rotate(arn) // a first one, so that the instance is warm and there is a previous version
          world.skewMs += 7_200_000
          world.double.calls.length = 0
          server.clearLog()
          const before_ = world.loginOf(arn)
          const token = await world.rotate(arn)
          assert.deepEqual(
            world.double.events.filter(({ name }) => /Failed/.test(name)),
            [],
            world.said.join(''),
          )
          const calls = world.double.calls.map(({ name }) => name)
          assert.ok(calls.length <= most[strategy], `${calls.length}: ${calls.join(' ')}`)
          assert.equal(calls.filter((name) => /^(Put|Update)/.test(name)).length, 2, 'one value and one label are written')
          assert.deepEqual(loginsIn(server.log), { accepted: cold ? 3 : 2, refused: 0 })
          const { username, password } = world.loginOf(arn)
          assert.ok(await logsIn(server, username, password))
          assert.notEqual(password, before_.password)
          if (strategy === 'alternate')
            assert.ok(await logsIn(server, before_.username, before_.password), 'the outgoing login stays valid')
          const labels = Object.entries(world.stagesOf(arn)).map(([id, names]) => [id === token ? 'new' : 'old', ...names])
          assert.deepEqual(labels.sort(), [
            ['new', 'AWSCURRENT'],
            ['old', 'AWSPREVIOUS'],
          ])
          assert.deepEqual(
            [...world.double.find({ SecretId: arn }).tags.keys()].filter((key) => /announced|retire|seen/.test(key)),
            [],
          )
          assert.doesNotMatch(world.said.join(''), new RegExp(`${firstPassword}|${password}`))
        })
      }
    }
  }

  it('keeps every byte but the credential; numbers and switches may be texts, and the shape of the templates is understood', async () => {
    await open()
    const text = `{ "engine": "postgres",\n  "host":"127.0.0.1" , "username": "app","password":"${firstPassword}",\t"dbname":"postgres","port":" ${server.port}","ssl":"False", "note": 1.50, "n\u0061me": "\u00fc" }`
    const arn = world.make('bytes', text)
    await world.rotate(arn)
    const { password } = world.loginOf(arn)
    assert.notEqual(password, firstPassword)
    assert.equal(world.valueOf(arn), text.replace(firstPassword, password))
  })

  it("takes the vendor's multi-user secret with its _clone in turn, there and back", async () => {
    await open()
    const arn = alternate()
    const users: string[] = []
    for (let turn = 0; turn < 3; turn++) {
      await world.rotate(arn)
      world.skewMs += 7_200_000
      const { username, password } = world.loginOf(arn)
      users.push(username)
      assert.ok(await logsIn(server, username, password))
    }
    assert.deepEqual(users, ['plain_clone', 'plain', 'plain_clone'])
  })

  it("takes the names of the templates' environment for new passwords", async () => {
    await open({
      environment: {
        PASSWORD_LENGTH: ' 20',
        EXCLUDE_NUMBERS: 'True',
        EXCLUDE_PUNCTUATION: 'yes',
        EXCLUDE_LOWERCASE: '',
        EXCLUDE_CHARACTERS: 'abcXYZ',
      },
    })
    const arn = world.make('app', world.value('app'))
    await world.rotate(arn)
    assert.match(world.loginOf(arn).password, /^[d-zA-W]{20}$/)
  })

  it('understands both spellings of the steps, and refuses what the service would never send', async () => {
    await open()
    const arn = world.make('app', world.value('app'))
    world.double.attemptsMax = 0
    const token = await world.rotate(arn)
    const event = (Step: string, more: object = {}) => ({
      Step,
      SecretId: arn,
      ClientRequestToken: token,
      RotationToken: 'rt-0123456789',
      ...more,
    })
    for (const [odd, says] of [
      [event('rotateEverything'), /bad_event.*Step/],
      [event('createSecret', { SecretId: '' }), /bad_event.*SecretId/],
      [event('createSecret', { ClientRequestToken: 'short' }), /bad_event.*ClientRequestToken/],
      ['nothing', /bad_event.*Step/],
      [event('createSecret', { ClientRequestToken: world.double.newId() }), /bad_event.*no version with a label/],
      [event('finishSecret', { RotationToken: undefined }), /bad_event.*before createSecret/],
      [event('setSecret'), /bad_event.*before createSecret/],
    ] as const) {
      assert.match((await world.invoke(odd)) ?? 'it did it', says)
    }
    for (const step of ['create_secret', 'set_secret', 'testSecret', 'finish_secret'])
      assert.equal(await world.invoke(event(step)), undefined, step)
    assert.equal(await world.invoke(event('finishSecret')), undefined, 'once more, when it is done')
    world.double.find({ SecretId: arn }).rotation.enabled = false
    assert.match((await world.invoke(event('createSecret', { ClientRequestToken: world.double.newId() }))) ?? '', /bad_event.*not enabled/)
    assert.doesNotMatch(world.said.join(''), /rt-0123456789/)
  })

  it('a test-only run looks whether current logs in, and writes nothing', async () => {
    await open()
    const arn = world.make('app', world.value('app'))
    const before_ = JSON.stringify([world.stagesOf(arn), world.valueOf(arn)])
    world.double.calls.length = 0
    await world.rotate(arn, { RotateImmediately: false })
    assert.equal(JSON.stringify([world.stagesOf(arn), world.valueOf(arn)]), before_)
    assert.deepEqual(
      world.double.events.map(({ name }) => name),
      ['TestRotationStarted', 'invoked', 'TestRotationSucceeded'],
    )
    assert.deepEqual(
      world.double.calls.filter(({ name }) => /^(Put|Update|Tag)/.test(name)),
      [],
    )
  })

  it('a step that is held throws, leaves the placeholder, and the next attempt with the same token goes on', async () => {
    await open()
    const arn = alternate()
    await world.rotate(arn)
    const token = await world.rotate(arn)
    assert.match(world.double.events.at(-2)?.detail ?? '', /createSecret: held: /)
    assert.deepEqual(world.stagesOf(arn)[token], ['AWSPENDING'])
    world.skewMs += 7_200_000
    await world.again(arn)
    assert.deepEqual(world.stagesOf(arn)[token], ['AWSCURRENT'])
  })

  it('createSecret again, while it would be held by now, does not hold a value that is stored', async () => {
    await open()
    const arn = world.make('app', world.value('app'))
    world.double.attemptsMax = 0
    const token = await world.rotate(arn)
    const call = (Step: string) => world.invoke({ Step, SecretId: arn, ClientRequestToken: token, RotationToken: 'rt-0123456789' })
    assert.deepEqual([await call('createSecret'), await call('setSecret')], [undefined, undefined])
    world.double.do('TagResource', { SecretId: arn, Tags: [{ Key: 'keyturn-mode', Value: 'paused' }] })
    world.instances = { cold: true }
    for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret']) assert.equal(await call(step), undefined, step)
    assert.ok(await logsIn(server, 'app', world.loginOf(arn).password))
  })

  it('eight deliveries of each step at once: one stored value, one publication', async () => {
    await open()
    const arn = world.make('app', world.value('app'))
    world.double.attemptsMax = 0
    const token = await world.rotate(arn)
    for (const Step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret']) {
      await Promise.all(
        Array.from({ length: 8 }, () => world.invoke({ Step, SecretId: arn, ClientRequestToken: token, RotationToken: 'rt-0123456789' })),
      )
      const values = [...world.double.find({ SecretId: arn }).versions.values()].map(({ value }) => value)
      assert.equal(new Set(values).size, 2, Step)
    }
    assert.deepEqual(world.stagesOf(arn)[token]?.includes('AWSCURRENT'), true)
    assert.ok(await logsIn(server, 'app', world.loginOf(arn).password))
  })
})
