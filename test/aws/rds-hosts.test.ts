import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { aws } from '../../functions/aws/platform.js'
import { readFunctionConfig } from '../../shared/app/function-config.js'
import type { Env } from '../../shared/core/ports/env.js'
import { AwsWorld, resetRoles } from '../harness/aws-world.js'
import { resolveHere } from '../harness/host-names.js'
import { Authority } from '../harness/pg-certificates.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { adminPassword, arrangeRoles, firstPassword } from '../harness/postgres-world.js'
import { type RdsDatabase, RdsDouble } from '../harness/rds.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const ending = '.abc123.eu-west-1.rds.amazonaws.com'
const cluster = `main.cluster-abc123.eu-west-1.rds.amazonaws.com`
const reader = `main.cluster-ro-abc123.eu-west-1.rds.amazonaws.com`
const arnOf = (kind: 'db' | 'cluster', id: string): string => `arn:aws:rds:eu-west-1:123456789012:${kind}:${id}`

describe('hosts of RDS, whose certificates are signed by what only the runtime knows', { skip }, () => {
  let server: PostgresServer
  let authority: Authority
  let folder: string
  let platform: Partial<Env>
  let world: AwsWorld
  let rds: RdsDouble
  const givenBack = resolveHere('.rds.amazonaws.com')
  before(async () => {
    authority = new Authority()
    folder = await mkdtemp(join(tmpdir(), 'keyturn-runtime-'))
    await writeFile(join(folder, 'ca-cert.pem'), authority.ca)
    const names = [`main${ending}`, `copy${ending}`, `other${ending}`, `member${ending}`, cluster, reader]
    const tls = authority.issue([...names, 'localhost'].map((name) => `DNS:${name}`))
    server = await PostgresServer.start({ tls })
    await arrangeRoles(server)
    platform = readFunctionConfig({}, { ...aws, authorities: { file: join(folder, 'ca-cert.pem'), endings: ['.rds.amazonaws.com'] } }).env
  })
  beforeEach(async () => {
    await resetRoles(server)
    rds = await RdsDouble.open()
    world = await AwsWorld.open(server, { given: platform })
  })
  afterEach(async () => {
    await world.close()
    await rds.close()
  })
  after(async () => {
    givenBack()
    await server?.stop()
    await removeCopies()
    await rm(folder, { recursive: true })
  })

  const value = (username: string, host: string, more: object = {}): string =>
    world.value(username, firstPassword, { host, ssl: true, ...more })
  const add = (id: string, more: Partial<RdsDatabase> = {}): void =>
    void rds.databases.push({
      kind: 'instance',
      id,
      host: `${id}${ending}`,
      port: server.port,
      engine: 'postgres',
      status: 'available',
      masterUser: 'keyturn_admin',
      ...more,
    })
  const said = () => world.said.join('')
  async function published(arn: string): Promise<void> {
    const { username, password } = world.loginOf(arn)
    assert.notEqual(password, firstPassword, said())
    assert.ok(await logsIn(server, username, password))
  }
  /** The secret that RDS itself keeps: a user and a password, and tags that say whose. */
  const managed = (tags: Readonly<Record<string, string>>): string => {
    const arn = world.make('managed', JSON.stringify({ username: 'keyturn_admin', password: adminPassword }))
    for (const [tag, text] of Object.entries(tags)) world.double.find({ SecretId: arn }).tags.set(tag, text) // aws: is for the service alone
    return arn
  }

  it('the authorities of the runtime count for hosts of RDS', async () => {
    const arn = world.make('app', value('app', `main${ending}`))
    await world.rotate(arn)
    await published(arn)
  })
  it('and for no other host, which nobody else’s name ends like', async () => {
    const arn = world.make('app', value('app', 'localhost'))
    await world.rotate(arn)
    assert.match(said(), /target_tls/)
    assert.equal(world.loginOf(arn).password, firstPassword)
  })
  it('without them the same host is refused', async () => {
    world.instances = {}
    const arn = world.make('app', value('app', `main${ending}`))
    await world.rotate(arn)
    assert.match(said(), /target_tls/)
    assert.equal(world.loginOf(arn).password, firstPassword)
  })

  const pairs: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
    ['of an instance', `main${ending}`, { 'aws:rds:primaryDBInstanceArn': arnOf('db', 'main') }],
    ['of a cluster', cluster, { 'aws:rds:primaryDBClusterArn': arnOf('cluster', 'main') }],
    ['of a cluster, for its reader', reader, { 'aws:rds:primaryDBClusterArn': arnOf('cluster', 'main') }],
    ['of a cluster, for one member', `member${ending}`, { 'aws:rds:primaryDBClusterArn': arnOf('cluster', 'main') }],
  ]
  for (const [name, host, tags] of pairs) {
    it(`masterarn is the secret that RDS manages ${name}: found by its tags`, async () => {
      add('main')
      add('main', { kind: 'cluster', host: cluster, reader })
      add('member', { memberOf: 'main' })
      const arn = world.make('plain', value('plain', host, { masterarn: managed(tags) }))
      await world.rotate(arn)
      await published(arn)
      assert.equal(world.loginOf(arn).username, 'plain_clone')
    })
  }

  it('the secret is for a read replica, the administrator for its source', async () => {
    add('main')
    add('copy', { replicaOf: 'main' })
    const admin = world.make('admin', world.adminValue({ host: `main${ending}`, ssl: true }))
    const arn = world.make('plain', value('plain', `copy${ending}`, { masterarn: admin }))
    await world.rotate(arn)
    await published(arn)
    assert.equal((JSON.parse(world.valueOf(arn)) as { host: string }).host, `copy${ending}`, 'the secret keeps its host')
  })
  it('a replica that is behind: the test fails for now, nothing is given up, the next attempt ends it', async () => {
    add('main')
    add('copy', { replicaOf: 'main' })
    const admin = world.make('admin', world.adminValue({ host: `main${ending}`, ssl: true }))
    const arn = world.make('plain', value('plain', `copy${ending}`, { masterarn: admin }))
    const invoke = world.invoke.bind(world)
    world.invoke = async (event) => {
      const answer = await invoke(event)
      if ((event as { Step: string }).Step === 'setSecret') await asSuper(server, "alter role plain_clone password 'not-there-yet-0123'")
      return answer
    }
    world.instances = { given: platform, remainingMs: 60_000 }
    const token = await world.rotate(arn)
    assert.match(said(), /not_propagated/)
    world.invoke = invoke
    await world.again(arn)
    await published(arn)
    assert.ok(world.stagesOf(arn)[token]?.includes('AWSCURRENT'))
  })

  it('however long the secret is there and the replica is behind, also where it still takes the outgoing password: kept until it takes the new one', async () => {
    add('main')
    add('copy', { replicaOf: 'main' })
    const admin = world.make('admin', world.adminValue({ host: `main${ending}`, ssl: true }))
    const arn = world.make('app', value('app', `copy${ending}`), { 'keyturn-rotator': 'postgres', 'keyturn-admin': `aws:${admin}` })
    world.skewMs += 86_400_000
    world.instances = { given: platform, remainingMs: 300_000 }
    const invoke = world.invoke.bind(world)
    world.invoke = async (event) => {
      const answer = await invoke(event)
      if ((event as { Step: string }).Step === 'setSecret') await asSuper(server, `alter role app password '${firstPassword}'`)
      return answer
    }
    const token = await world.rotate(arn)
    assert.match(said(), /not_propagated/)
    assert.ok(world.stagesOf(arn)[token]?.includes('AWSPENDING'), 'not given up')
    world.invoke = invoke
    await world.again(arn)
    await published(arn)
  })
  it('an instance that copies a cluster, whose administrator it has', async () => {
    add('main', { kind: 'cluster', host: cluster, reader })
    add('copy', { replicaOfCluster: 'main' })
    const admin = world.make('admin', world.adminValue({ host: cluster, ssl: true }))
    const arn = world.make('plain', value('plain', `copy${ending}`, { masterarn: admin }))
    await world.rotate(arn)
    await published(arn)
  })
  it('one throttled read of the administrator’s secret is no failure', async () => {
    const admin = world.make('admin', world.adminValue({ host: `main${ending}`, ssl: true }))
    const arn = world.make('plain', value('plain', `main${ending}`, { masterarn: admin }))
    let throttled = 0
    world.double.fault = ({ name, input }) =>
      name === 'GetSecretValue' && input.SecretId === admin && throttled++ === 0 ? 'throttle' : undefined
    await world.rotate(arn)
    assert.equal(world.double.events.at(-1)?.name, 'RotationSucceeded', said())
    assert.ok(throttled > 1)
  })
  it('a port that one of the two leaves out is no other host: RDS is not asked', async () => {
    rds.fault = () => ({ code: 'AccessDenied', message: 'not authorized' })
    const { port: _, ...rest } = JSON.parse(world.adminValue({ host: `main${ending}`, ssl: true })) as Record<string, unknown>
    const admin = world.make('admin', JSON.stringify(rest))
    const arn = world.make('plain', value('plain', `main${ending}`, { masterarn: admin }))
    await world.rotate(arn)
    assert.match(said(), /admin_mismatch/, 'the default port is another one than this server has')
    assert.equal(rds.calls.length, 0)
  })

  const refusals: readonly (readonly [string, () => string, RegExp])[] = [
    [
      'another database',
      () => {
        add('main')
        add('other')
        return world.make('admin', world.adminValue({ host: `main${ending}`, ssl: true }))
      },
      /admin_mismatch/,
    ],
    [
      'a database of the same name in another region',
      () => {
        add('main', { region: 'us-east-1', host: 'main.abc123.us-east-1.rds.amazonaws.com' })
        add('other')
        return world.make(
          'admin',
          world.adminValue({ host: 'main.abc123.us-east-1.rds.amazonaws.com', dbInstanceIdentifier: 'main', ssl: true }),
        )
      },
      /admin_mismatch/,
    ],
    [
      'a replica of a third one',
      () => {
        add('main')
        add('other', { replicaOf: 'third' })
        return world.make('admin', world.adminValue({ host: `main${ending}`, ssl: true }))
      },
      /admin_mismatch/,
    ],
    [
      'a replica of one of the same name in another region',
      () => {
        add('main')
        add('other', { replicaOf: 'arn:aws:rds:us-east-1:123456789012:db:main' })
        return world.make('admin', world.adminValue({ host: `main${ending}`, ssl: true }))
      },
      /admin_mismatch/,
    ],
    [
      'an identifier of another database than the host',
      () => {
        add('main')
        add('other')
        return world.make('admin', world.adminValue({ host: `main${ending}`, dbInstanceIdentifier: 'other', ssl: true }))
      },
      /admin_mismatch/,
    ],
    [
      'another host, and a role that may not ask',
      () => {
        rds.fault = () => ({ code: 'AccessDenied', message: 'not authorized' })
        return world.make('admin', world.adminValue({ host: `main${ending}`, ssl: true }))
      },
      /admin_mismatch/,
    ],
    ['a secret without a host that RDS does not manage', () => managed({}), /admin_mismatch: .*names no host/],
    [
      'a database that is gone',
      () => managed({ 'aws:rds:primaryDBInstanceArn': arnOf('db', 'gone') }),
      /not_found: .*no RDS instance gone/,
    ],
    [
      'a role that may not ask',
      () => {
        rds.fault = () => ({ code: 'AccessDenied', message: 'not authorized' })
        return managed({ 'aws:rds:primaryDBInstanceArn': arnOf('db', 'main') })
      },
      /denied: .*rds:DescribeDBInstances/,
    ],
  ]
  for (const [name, admin, expected] of refusals) {
    it(`${name}: refused, and no administrator logs in`, async () => {
      const arn = world.make('plain', value('plain', `other${ending}`, { masterarn: admin() }))
      server.clearLog()
      await world.rotate(arn)
      assert.match(said(), expected)
      assert.ok(!server.log.includes('keyturn_admin'))
      assert.equal(world.loginOf(arn).password, firstPassword)
    })
  }
})
