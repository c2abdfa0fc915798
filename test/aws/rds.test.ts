import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { AwsWorld, type Instances, resetRoles } from '../harness/aws-world.js'
import { loginThrough, Pooler, whyNoPooler } from '../harness/pgbouncer.js'
import { asSuper, loginsIn, logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword } from '../harness/postgres-world.js'
import { type RdsDatabase, RdsDouble } from '../harness/rds.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const long: Instances = { remainingMs: 300_000 }

describe('the master password of RDS, under RotateSecret, on a real PostgreSQL', { skip }, () => {
  let server: PostgresServer
  let world: AwsWorld
  let rds: RdsDouble
  let pooler: Pooler | undefined
  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  beforeEach(async () => {
    await resetRoles(server)
    rds = await RdsDouble.open()
    rds.onEffect = async ({ masterUser }, password) => void (await asSuper(server, `alter role ${masterUser} password '${password}'`))
  })
  afterEach(async () => {
    await pooler?.stop()
    await world.close()
    await rds.close()
  })
  after(async () => {
    await server?.stop()
    await removeCopies()
  })

  async function open(instances: Instances = long, database: Partial<RdsDatabase> = {}, tags: Readonly<Record<string, string>> = {}) {
    world = await AwsWorld.open(server, instances)
    rds.now = () => Date.now() + world.skewMs
    const place = { kind: 'instance', id: 'main', host: '127.0.0.1', port: server.port } as const
    rds.databases.push({ ...place, engine: 'postgres', status: 'available', masterUser: 'app', ...database })
    const field = database.kind === 'cluster' ? 'dbClusterIdentifier' : 'dbInstanceIdentifier'
    return world.make('master', world.value('app', firstPassword, { [field]: 'main' }), { 'keyturn-rotator': 'rds', ...tags })
  }
  const modified = () => rds.calls.filter(({ action }) => action.startsWith('Modify')).length
  const failures = () => world.double.events.filter(({ name }) => /Failed/.test(name)).length
  async function works(arn: string): Promise<void> {
    const { username, password } = world.loginOf(arn)
    assert.notEqual(password, firstPassword, world.said.join(''))
    assert.ok(await logsIn(server, username, password))
    assert.ok(!world.said.join('').includes(password) && !world.said.join('').includes(firstPassword))
  }

  for (const kind of ['instance', 'cluster'] as const) {
    it(`${kind}: sent once, waited for, tested by a login; the rest of the secret is as it was`, async () => {
      const arn = await open(long, { kind })
      const before_ = world.valueOf(arn)
      server.clearLog()
      await world.rotate(arn)
      assert.equal(failures(), 0, world.said.join(''))
      assert.equal(modified(), 1)
      assert.deepEqual(
        loginsIn(server.log),
        { accepted: 4, refused: 0 },
        'the stored password, the change itself, the new password in set and in test',
      )
      assert.equal(world.valueOf(arn).replace(world.loginOf(arn).password, firstPassword), before_)
      await works(arn)
    })
  }

  it('an invocation that ends before the change is in effect says so, and the service goes on with the same value', async () => {
    const arn = await open({ remainingMs: 30_000 })
    world.double.attemptsMax = 3
    world.double.now = () => Date.now() + world.skewMs
    await world.rotate(arn)
    assert.match(world.said.join(''), /held: .*not_propagated/)
    world.skewMs += 60_000
    await world.again(arn)
    assert.equal(modified(), 1, world.said.join(''))
    await works(arn)
  })

  it('a pooler with a list: the service goes on with the same token after the reload, and publishes nothing before', {
    skip: whyNoPooler,
  }, async () => {
    pooler = await Pooler.start(server, { mode: 'list', users: ['app'] })
    const arn = await open(long, {}, { 'keyturn-endpoints': `127.0.0.1:${pooler.port}` })
    const token = await world.rotate(arn)
    assert.match(world.said.join(''), /target_denied: .*auth_file/)
    assert.equal(world.loginOf(arn).password, firstPassword)
    assert.ok(world.stagesOf(arn)[token]?.includes('AWSPENDING'))
    await pooler.writeList(['app'])
    await pooler.reload()
    await world.again(arn)
    await works(arn)
    assert.equal(modified(), 1)
    assert.equal(await loginThrough(pooler.port, 'app', world.loginOf(arn).password), 'in')
  })

  it('a value that names a pooler for its consumers, with the database in keyturn-server', { skip: whyNoPooler }, async () => {
    pooler = await Pooler.start(server, { mode: 'query' })
    await open()
    const value = world.value('app', firstPassword, { port: pooler.port, dbInstanceIdentifier: 'main' })
    const arn = world.make('pooled', value, { 'keyturn-rotator': 'rds', 'keyturn-server': `127.0.0.1:${server.port}` })
    await world.rotate(arn)
    assert.equal(failures(), 0, world.said.join(''))
    assert.deepEqual(await pooler.attempts(), { app: 1 })
    await works(arn)
    assert.equal(JSON.parse(world.valueOf(arn)).port, pooler.port)
  })

  it('the stored password does not log in: nothing is sent, and nothing is marked; with keyturn-reset=always it goes on', async () => {
    const arn = await open()
    await asSuper(server, "alter role app password 'by-hand-0123456789'")
    await world.rotate(arn)
    assert.equal(modified(), 0)
    assert.match(world.said.join(''), /target_denied: .*keyturn-reset=always/)
    assert.ok(!Object.values(world.stagesOf(arn)).flat().includes('KEYTURN_STUCK'))
    assert.equal(world.loginOf(arn).password, firstPassword)
    world.double.do('TagResource', { SecretId: arn, Tags: [{ Key: 'keyturn-reset', Value: 'always' }] })
    world.crash()
    await world.again(arn)
    assert.equal(modified(), 1, world.said.join(''))
    await works(arn)
  })

  it('the control plane says done, and the server takes it much later: kept as pending until it logs in', async () => {
    const arn = await open()
    rds.resettingMs = 150_000
    let late = ''
    rds.onEffect = async (_, password) => {
      late = password
    }
    const token = await world.rotate(arn)
    assert.match(world.said.join(''), /not_propagated/)
    assert.ok(world.stagesOf(arn)[token]?.includes('AWSPENDING'))
    await asSuper(server, `alter role app password '${late}'`)
    await world.again(arn)
    assert.equal(modified(), 1)
    await works(arn)
  })

  it('between two attempts neither password logs in, and the control plane says nothing of it: waited for, never stuck', async () => {
    const arn = await open({ remainingMs: 30_000 })
    world.double.now = () => Date.now() + world.skewMs
    let late = ''
    rds.onEffect = async (_, password) => {
      late = password
      await asSuper(server, "alter role app password 'in-between-0123456789'")
    }
    await world.rotate(arn)
    for (let attempt = 0; attempt < 3; attempt++) {
      world.skewMs += 60_000
      await world.again(arn)
    }
    assert.ok(!Object.values(world.stagesOf(arn)).flat().includes('KEYTURN_STUCK'), world.said.join(''))
    await asSuper(server, `alter role app password '${late}'`)
    await world.again(arn)
    assert.equal(modified(), 1)
    await works(arn)
  })

  it('a control plane that says nothing of the change at first: the login decides', async () => {
    const arn = await open()
    rds.silent = true
    await world.rotate(arn)
    await works(arn)
  })

  it('a cluster for which something else waits: held, and nothing is sent that would begin it', async () => {
    const arn = await open(long, { kind: 'cluster', queued: true })
    await world.rotate(arn)
    assert.match(world.said.join(''), /held: .*maintenance window/)
    assert.equal(modified(), 0)
    delete rds.databases[0]?.queued
    await world.again(arn)
    await works(arn)
  })

  const wrongs: readonly (readonly [string, Partial<RdsDatabase>, RegExp])[] = [
    ['another host', { host: '127.0.0.2' }, /bad_value: .*not reached at 127\.0\.0\.1/],
    ['another port', { port: 1 }, /bad_value: .*listens on 1/],
    ['another master user', { masterUser: 'plain' }, /bad_value: .*master user plain/],
    ['a read replica', { replicaOf: 'first' }, /bad_value: .*read replica of first/],
    ['managed by RDS', { managedSecret: 'arn:aws:secretsmanager:eu-west-1:1:secret:rds!db-1' }, /bad_value: .*rotates it itself/],
    ['another engine', { engine: 'mysql' }, /bad_value: .*runs mysql/],
    ['no such instance', { id: 'other' }, /not_found: .*no RDS instance main/],
    ['stopped', { status: 'stopped' }, /held: /],
  ]
  for (const [name, database, expected] of wrongs) {
    it(`${name}: refused by name, nothing sent`, async () => {
      const arn = await open(long, database)
      await world.rotate(arn)
      assert.match(world.said.join(''), expected)
      assert.equal(modified(), 0)
      assert.equal(world.loginOf(arn).password, firstPassword)
      assert.ok(await logsIn(server, 'app', firstPassword))
    })
  }

  it('a change that somebody else began is waited for, and ours follows', async () => {
    const arn = await open(long, {}, { 'keyturn-reset': 'always' })
    const [database] = rds.databases
    if (database) database.change = { password: 'of-a-colleague-0123456789', sentAt: rds.now() }
    await world.rotate(arn)
    assert.equal(modified(), 1)
    await works(arn)
  })

  it('a password that RDS refuses is given up, and another one is made', async () => {
    const arn = await open()
    let refused = false
    rds.fault = (action) => {
      if (!action.startsWith('Modify') || refused) return undefined
      refused = true
      return { code: 'InvalidParameterValue', message: 'The parameter MasterUserPassword is not a valid password.' }
    }
    await world.rotate(arn)
    assert.match(world.said.join(''), /token_spent/)
    assert.equal(world.loginOf(arn).password, firstPassword)
    world.skewMs += 400_000
    await world.rotate(arn)
    await works(arn)
  })

  for (const fault of ['throttle', 'error', 'cut', 'drop'] as const) {
    it(`${fault} at every call of RDS: the service goes on with the same token to one working value`, async () => {
      await open()
      await world.close()
      for (let at = 1; at <= 6; at++) {
        await resetRoles(server)
        rds.databases.length = 0
        const arn = await open()
        rds.calls.length = 0
        rds.fault = (_, n) => (n === at ? fault : undefined)
        const token = await world.rotate(arn)
        world.skewMs += 60_000
        if (world.loginOf(arn).password === firstPassword) await world.again(arn)
        await works(arn)
        assert.ok(world.stagesOf(arn)[token]?.includes('AWSCURRENT'))
        assert.ok(modified() <= 2)
        if (at < 6) await world.close()
      }
    })
  }
})
