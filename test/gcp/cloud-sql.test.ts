import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { RotationError } from '../../shared/core/errors.js'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { adopt, verifyCurrent } from '../../shared/lifecycle/secret/adopt.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { settingFor } from '../crash/settings.js'
import type { SqlFault, SqlInstance } from '../harness/cloud-sql.js'
import { byAnswer, CloudSqlPoint, type CloudSqlWorld, type Kind, openCloudSqlWorld } from '../harness/cloud-sql-point.js'
import { startProcess } from '../harness/faults.js'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword } from '../harness/postgres-world.js'
import { laterMs } from '../harness/world.js'

const noServer = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const openStore = settingFor('gcp', 'a').openStore
const mysql = byAnswer('MYSQL_8_0')
const postgres = byAnswer('POSTGRES_16')

let world: CloudSqlWorld
before(async () => {
  world = await openCloudSqlWorld()
})
after(() => world.close())
const open = (kind: Kind, more: object = {}, policy: Policy = {}) => CloudSqlPoint.open(world, openStore, kind, more, policy)
const run = (point: CloudSqlPoint, request: Parameters<CloudSqlPoint['run']>[1] = {}, given?: SecretText) => {
  point.env.time += laterMs
  return point.run(startProcess('one'), request, given)
}
/** The error with all that it says; no password that was stored or sent is in it. */
async function refused(running: Promise<unknown>, code: string, text: RegExp): Promise<RotationError> {
  const cause = await running.then(
    () => assert.fail('it was done'),
    (one: unknown) => one,
  )
  assert.ok(cause instanceof RotationError, String(cause))
  assert.equal(cause.code, code, `${cause.message} ${cause.next}`)
  assert.match(`${cause.message} ${cause.next}`, text)
  const said = inspect([cause, cause.cause], { depth: 8 })
  for (const { password } of world.double.operations) assert.ok(!said.includes(password))
  assert.ok(!said.includes(firstPassword))
  return cause
}
const changed = () => world.double.operations.length

describe('cloud-sql, where no network path leads to the database', () => {
  for (const kind of [mysql, postgres]) {
    it(`${kind.name}: sends the password once, in the body alone, and publishes it once the operation is done`, async () => {
      const point = await open(kind)
      const { outcome, steps } = await run(point)
      assert.deepEqual([outcome, steps], ['published', ['create', 'set', 'test', 'finish']])
      const password = await point.password()
      assert.equal(point.has, password)
      assert.deepEqual([changed(), world.double.sent], [1, 1])
      const users = `/v1/projects/shop-prod/instances/main/users`
      const host = kind === mysql ? '&host=%25' : ''
      assert.deepEqual(
        world.double.calls.slice(0, 3).map(({ method, path }) => [method, path]),
        [
          ['GET', '/v1/projects/shop-prod/instances/main'],
          ['GET', `${users}/app${host.replace('&', '?')}`],
          ['PUT', `${users}?name=app${host}`],
        ],
      )
      assert.ok(world.double.calls.slice(3).every(({ path }) => path === '/v1/projects/shop-prod/operations/operation-1'))
      assert.deepEqual(JSON.parse(world.double.calls[2]?.body ?? ''), { name: 'app', ...(kind === mysql ? { host: '%' } : {}), password })
      const said = JSON.stringify([point.audit, point.env.lines, world.double.calls.map(({ path }) => path)])
      assert.ok(!said.includes(password) && said.includes('proven_by_answer') && said.includes('password_sent'))
      assert.equal((await statusOf(point.deps('status'), point.ref.shown)).proof, 'answer')
    })
  }

  it('an invocation that ends before the operation is done says so; the next one sends the same password again', async () => {
    const point = await open(mysql)
    world.double.runningMs = 30 * 60_000
    await refused(run(point), 'held', /not_propagated.*--resume after/)
    const { pending } = await point.store.describe(point.ref)
    assert.ok(pending?.hasValue)
    world.double.runningMs = 1000
    await run(point, { kind: 'resume' })
    assert.equal(new Set(world.double.operations.map(({ password }) => password)).size, 1)
    assert.equal(point.has, await point.password())
  })

  it('waits while the instance is at another operation', async () => {
    for (const fault of ['busy', 'busy 403'] as const) {
      const point = await open(postgres)
      let times = 3
      world.double.fault = ({ method }): SqlFault | undefined => (method === 'PUT' && times-- > 0 ? fault : undefined)
      await run(point)
      assert.deepEqual([world.double.sent, changed()], [4, 1])
      assert.ok(point.env.lines.some(({ code }) => code === 'instance_busy'))
    }
  })

  for (const how of ['at once', 'later'] as const)
    it(`a password that the rule of the instance refuses ${how}: stuck, and a person puts the next one`, async () => {
      const point = await open(mysql)
      world.double.refuses = () => how
      const cause = await refused(run(point), 'stuck', /refuses the new password of app by its own rule.*No login can tell.*keyturn put/)
      assert.ok(!/complexity|does not meet/.test(cause.message), 'the words of the service may quote the password')
      assert.equal(point.has, firstPassword)
      const { action, done } = await point.act(startProcess('recover'), (deps) => recover(deps, point.store, point.ref.shown, true))
      assert.deepEqual([action.do, done], ['by hand', false])
      world.double.refuses = () => undefined
      const given = new SecretText(JSON.stringify({ host: 'db.invalid', username: 'app', password: 'Given-by-hand-0123456789' }))
      await run(point, { kind: 'put' }, given)
      assert.deepEqual([point.has, await point.password()], ['Given-by-hand-0123456789', 'Given-by-hand-0123456789'])
      assert.equal((await point.store.describe(point.ref)).journal?.code, undefined)
    })

  it('an operation that fails for another reason is begun again, with the same password', async () => {
    const point = await open(postgres)
    let times = 2
    world.double.refuses = () => (times-- > 0 ? 'broken' : undefined)
    await run(point)
    assert.equal(new Set(world.double.operations.map(({ password }) => password)).size, 1)
    assert.deepEqual([changed(), point.has], [3, await point.password()])
    for (const [how, code] of [
      ['broken', 'INTERNAL_ERROR'],
      ['unnamed', 'no code'],
      ['stopped', 'ABORTED'],
    ] as const) {
      const never = await open(postgres)
      world.double.refuses = () => how
      await refused(run(never), 'target_unreachable', new RegExp(`did not set the password of app \\(${code}\\).*operations list`))
      const { journal, pending } = await never.store.describe(never.ref)
      assert.deepEqual([journal?.code, pending?.hasValue], [undefined, true])
      assert.equal(new Set(world.double.operations.map(({ password }) => password)).size, 1)
    }
  })

  it('a call that is not understood is a wrong value or policy, although the answer has the word password', async () => {
    const point = await open(postgres)
    world.double.refuses = () => 'unread'
    await refused(run(point), 'bad_value', /does not take what was sent.*keyturn-account-host/)
    assert.equal((await point.store.describe(point.ref)).journal?.code, undefined)
  })

  it('an instance that is stopped, or not ready, is waited for', async () => {
    for (const more of [{ isStopped: true }, { state: 'MAINTENANCE' }] as const) {
      const point = await open(mysql)
      Object.assign(point.instance, more)
      await refused(run(point), 'held', /takes the new value only later/)
      assert.equal(world.double.sent, 0)
    }
  })

  it('an API that does not answer is a target out of reach: the rotation stays open, and goes on with the same password', async () => {
    for (const fault of ['cut', 'error', 'drop'] as const) {
      const point = await open(mysql)
      world.double.fault = ({ method }) => (method === 'PUT' ? fault : undefined)
      await refused(
        run(point),
        'target_unreachable',
        /Cloud SQL (could not be asked for|did not do what was asked for) projects\/shop-prod/,
      )
      assert.ok((await point.store.describe(point.ref)).pending?.hasValue)
      world.double.fault = () => undefined
      await run(point, { kind: 'resume' })
      assert.equal(new Set(world.double.operations.map(({ password }) => password)).size, 1)
      assert.equal(point.has, await point.password())
    }
    const throttled = await open(mysql)
    world.double.fault = () => 'quota'
    await refused(run(throttled), 'throttled', /asks for fewer calls/)
  })

  const denied = ['cloudsql.instances.get', 'cloudsql.users.get', 'cloudsql.users.update']
  for (const permission of denied)
    it(`says which permission is missing: ${permission}`, async () => {
      const point = await open(mysql)
      world.double.mayNot.add(permission)
      const why = new RegExp(`${permission} is denied on projects/shop-prod/instances/main.*on the project shop-prod`)
      await refused(run(point), 'denied', why)
      assert.equal(changed(), 0)
    })

  const wrong: readonly (readonly [what: string, kind: Kind, change: (one: SqlInstance) => void, code: string, why: RegExp])[] = [
    ['an instance that is not there', mysql, () => world.double.instances.splice(0), 'bad_policy', /There is no Cloud SQL instance/],
    ['a user that is not there', mysql, (one) => one.users.clear(), 'bad_value', /has no user app/],
    [
      'a login of IAM',
      mysql,
      (one) => one.users.set('app@%', { type: 'CLOUD_IAM_USER', password: '' }),
      'bad_value',
      /CLOUD_IAM_USER, which has no/,
    ],
    [
      'a read replica',
      postgres,
      (one) => Object.assign(one, { replicaOf: 'shop-prod:primary' }),
      'bad_policy',
      /read replica of shop-prod:primary/,
    ],
    ['SQL Server', mysql, (one) => Object.assign(one, { version: 'SQLSERVER_2022_STANDARD' }), 'bad_policy', /PostgreSQL and MySQL/],
    [
      'another engine than the value names',
      { ...postgres, policy: mysql.policy },
      (one) => Object.assign(one, { version: 'MYSQL_8_4' }),
      'bad_value',
      /is of PostgreSQL, and .* runs MYSQL_8_4/,
    ],
  ]
  for (const [what, kind, change, code, why] of wrong)
    it(`refuses by name, and sends nothing: ${what}`, async () => {
      const point = await open(kind, kind === mysql ? {} : { engine: 'postgres' })
      change(point.instance)
      await refused(run(point), code, why)
      assert.deepEqual([world.double.sent, changed()], [0, 0])
      await refused(
        point.act(startProcess('verify'), (deps) => verifyCurrent(deps, point.ref.shown)),
        code,
        why,
      )
    })

  it('names one account of MySQL by its host, where the policy says it; PostgreSQL has none', async () => {
    const point = await open(mysql, {}, { 'keyturn-account-host': '10.0.0.7' })
    point.instance.users.set('app@10.0.0.7', { password: firstPassword })
    await run(point)
    assert.equal(point.instance.users.get('app@10.0.0.7')?.password, await point.password())
    assert.equal(point.instance.users.get('app@%')?.password, firstPassword)
    await refused(run(await open(postgres, {}, { 'keyturn-account-host': '%'.replace('%', 'h') })), 'bad_policy', /account-host is set/)
  })

  it('adopting asks the Admin API for the login and tries no password', async () => {
    const point = await open(mysql)
    const looked = await point.act(startProcess('adopt'), (deps) => adopt(deps, point.store, point.ref.shown, {}))
    assert.deepEqual([looked.passwordAccepted, looked.logsIn, looked.proof], [null, null, 'answer'])
    assert.match(looked.trial?.outlook ?? '', /no login will test the new password/)
    assert.deepEqual([world.double.sent, world.double.calls.length], [0, 2])
  })

  it('goes back to the previous password by setting it', async () => {
    const point = await open(mysql)
    await run(point)
    point.env.time += laterMs * 8
    await point.act(startProcess('announce'), (deps) => announce(deps, point.ref.shown))
    await run(point, { kind: 'rollback' })
    assert.deepEqual([point.has, await point.password()], [firstPassword, firstPassword])
  })

  it('nobody sees or ends a session', async () => {
    const point = await open(mysql)
    const rotator = await loadRotator('cloud-sql')
    const { policy } = await point.store.describe(point.ref)
    const context = { ref: point.ref, token: point.token, policy, deadline: point.env.time + 1000, live: [], env: point.env }
    const { sessions } = rotator
    assert.deepEqual(await sessions?.usage(context, 'app' as never), {
      inUse: 'unknown',
      evidence: 'no network path leads to the database',
    })
    await refused(sessions?.end(context, 'app' as never) ?? Promise.resolve(), 'target_denied', /open sessions cannot be ended/)
    assert.equal(sessions?.endOnRetire({ ...policy, 'keyturn-sessions': 'end' }), false)
  })
})

describe('cloud-sql, where a network path leads to the database', { skip: noServer }, () => {
  let server: PostgresServer
  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  after(async () => {
    await server?.stop()
    await removeCopies()
  })
  const byLogin = (): Kind => ({ name: 'by login', version: 'POSTGRES_18', policy: {}, server })

  it('tests the new password by a login before it is published', async () => {
    const point = await open(byLogin())
    const { outcome } = await run(point)
    assert.equal(outcome, 'published')
    assert.ok(await logsIn(server, 'app', await point.password()))
    assert.deepEqual([world.double.sent, (await statusOf(point.deps('status'), point.ref.shown)).proof], [1, 'login'])
    assert.ok(!point.env.lines.some(({ code }) => code === 'proven_by_answer'))
  })

  it('the API says done, and the server does not take the password: kept as pending, and not published', async () => {
    const point = await open(byLogin())
    world.double.onEffect = async () => {}
    await refused(run(point), 'not_propagated', /not accepted everywhere yet/)
    const { pending } = await point.store.describe(point.ref)
    assert.ok(pending?.hasValue)
    assert.equal(await point.password(), firstPassword)
  })

  it('a password that the rule of the instance refuses is given up, and another one is made', async () => {
    const point = await open(byLogin())
    let times = 1
    world.double.refuses = () => (times-- > 0 ? 'later' : undefined)
    await run(point)
    assert.equal(new Set(world.double.operations.map(({ password }) => password)).size, 2)
    assert.ok(await logsIn(server, 'app', await point.password()))
  })

  it('a stored password that does not log in changes nothing at the instance', async () => {
    const point = await open(byLogin(), { password: 'another-0123456789' })
    await refused(run(point), 'target_denied', /neither the stored nor the new password of app; nothing was sent/)
    assert.deepEqual([world.double.sent, world.double.calls.length], [0, 2])
    const named = await open(byLogin(), { password: 'another-0123456789', engine: 'postgres' })
    await refused(run(named), 'target_denied', /nothing was sent/)
    assert.equal(world.double.calls.length, 0)
  })

  it('an address that is not one of the instance is refused', async () => {
    const rotator = await loadRotator('cloud-sql')
    const point = await open(byLogin())
    const policy = { 'keyturn-instance': 'shop-prod:main' }
    const value = rotator.parse(new SecretText('{"host":"10.9.9.9","username":"app","password":"x-0123456789"}'), policy)
    const { lookAt } = await import('../../shared/rotators/cloud-sql/instance.js')
    const { AdminApi } = await import('../../shared/rotators/cloud-sql/api.js')
    const place = { project: 'shop-prod', instance: 'main' }
    await refused(lookAt(new AdminApi(point.env, place), value as never), 'bad_value', /10\.9\.9\.9, which is no address of/)
  })
})
