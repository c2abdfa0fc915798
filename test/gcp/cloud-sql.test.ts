import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { adopt, verifyCurrent } from '../../shared/lifecycle/secret/adopt.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { settingFor } from '../crash/settings.js'
import type { SqlInstance } from '../harness/cloud-sql.js'
import { byAnswer, CloudSqlPoint, type CloudSqlWorld, type Kind, openCloudSqlWorld } from '../harness/cloud-sql-point.js'
import { startProcess } from '../harness/faults.js'
import { describeByLogin, itRotatesByAnswer, refusedAt, run, type Subject } from '../harness/plane-suite.js'
import type { PostgresServer } from '../harness/postgres-server.js'
import { firstPassword } from '../harness/postgres-world.js'

const openStore = settingFor('gcp', 'a').openStore
const mysql = byAnswer('MYSQL_8_0')
const postgres = byAnswer('POSTGRES_16')

let world: CloudSqlWorld
before(async () => {
  world = await openCloudSqlWorld()
})
after(() => world.close())
const open = (kind: Kind, more: object = {}, policy: Policy = {}) => CloudSqlPoint.open(world, openStore, kind, more, policy)
const refused = (running: Promise<unknown>, code: string, text: RegExp) => refusedAt(world.double, running, code, text)
const changed = () => world.double.operations.length

const subject: Subject<Kind> = {
  rotator: 'cloud-sql',
  world: () => world,
  open,
  mysql,
  postgres,
  sets: 'PUT',
  busy: ['busy', 'busy 403'],
  throttle: 'quota',
  service: 'Cloud SQL',
  shown: 'projects/shop-prod',
  look: 'operations list',
  asks: (kind, password) => {
    const instance = '/v1/projects/shop-prod/instances/main'
    const [query, more, own] = kind === mysql ? ['?host=%25', '&host=%25', { host: '%' }] : ['', '', {}]
    return {
      calls: [
        ['GET', instance],
        ['GET', `${instance}/users/app${query}`],
        ['PUT', `${instance}/users?name=app${more}`],
      ],
      body: { name: 'app', ...own, password },
      operation: '/v1/projects/shop-prod/operations/operation-1',
    }
  },
}

describe('cloud-sql, where no network path leads to the database', () => {
  itRotatesByAnswer(subject)

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
})

const byLogin = (server: PostgresServer): Kind => ({ name: 'by login', version: 'POSTGRES_18', policy: {}, server })
describeByLogin('cloud-sql, where a network path leads to the database', subject, byLogin, (kind) => {
  it('a value that names no engine, and whose password does not log in, is compared with the instance first, and changes nothing there', async () => {
    const point = await open(kind(), { password: 'another-0123456789' })
    await refused(run(point), 'target_denied', /neither the stored nor the new password of app; nothing was sent/)
    assert.deepEqual([world.double.sent, world.double.calls.length], [0, 2])
  })

  it('an address that is not one of the instance is refused', async () => {
    const rotator = await loadRotator('cloud-sql')
    const point = await open(kind())
    const policy = { 'keyturn-instance': 'shop-prod:main' }
    const value = rotator.parse(new SecretText('{"host":"10.9.9.9","username":"app","password":"x-0123456789"}'), policy)
    const { lookAt } = await import('../../shared/rotators/cloud-sql/instance.js')
    const { AdminApi } = await import('../../shared/rotators/cloud-sql/api.js')
    const place = { project: 'shop-prod', instance: 'main' }
    await refused(lookAt(new AdminApi(point.env, place), value as never), 'bad_value', /10\.9\.9\.9, which is no address of/)
  })
})
