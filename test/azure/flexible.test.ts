import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { adopt, verifyCurrent } from '../../shared/lifecycle/secret/adopt.js'
import { deployedMore } from '../../shared/rotators/registry.js'
import { settingFor } from '../crash/settings.js'
import { byAnswer, type FlexibleKind, FlexiblePoint, type FlexibleWorld, openFlexibleWorld } from '../harness/azure-flexible-point.js'
import { type FlexibleServer, idOf, subscription } from '../harness/azure-management.js'
import { startProcess } from '../harness/faults.js'
import { describeByLogin, itRotatesByAnswer, refusedAt, run, type Subject } from '../harness/plane-suite.js'
import type { PostgresServer } from '../harness/postgres-server.js'
import { firstPassword } from '../harness/postgres-world.js'

const { openStore } = settingFor('azure', 'a')
const mysql = byAnswer('Microsoft.DBforMySQL')
const postgres = byAnswer('Microsoft.DBforPostgreSQL')

let world: FlexibleWorld
before(async () => {
  world = await openFlexibleWorld()
})
after(() => world.close())
const open = (kind: FlexibleKind, more: object = {}, policy: Policy = {}) => FlexiblePoint.open(world, openStore, kind, more, policy)
const refused = (running: Promise<unknown>, code: string, text: RegExp) => refusedAt(world.double, running, code, text)
const changed = () => world.double.operations.length
const verify = (point: FlexiblePoint) => point.act(startProcess('verify'), (deps) => verifyCurrent(deps, point.ref.shown))

const subject: Subject<FlexibleKind> = {
  rotator: 'azure-flexible-server',
  world: () => world,
  open,
  mysql,
  postgres,
  sets: 'PATCH',
  busy: ['busy', 'busy older'],
  throttle: 'throttle',
  service: 'Azure Resource Manager',
  shown: `/subscriptions/${subscription}/resourceGroups/shop`,
  look: 'activity-log list',
  asks: ({ provider }, password) => {
    const version = provider === 'Microsoft.DBforMySQL' ? '2023-12-30' : '2025-08-01'
    const server = `${idOf({ group: 'shop', name: 'main', provider })}?api-version=${version}`
    return {
      calls: [
        ['GET', server],
        ['PATCH', server],
      ],
      body: { properties: { administratorLoginPassword: password } },
      operation: `/subscriptions/${subscription}/providers/${provider}/locations/westeurope/azureAsyncOperation/operation-1?`,
    }
  },
}

describe('azure-flexible-server, where no network path leads to the database', () => {
  itRotatesByAnswer(subject)

  it('says the address of an operation nowhere: it is signed', async () => {
    const point = await open(postgres)
    await run(point)
    assert.ok(world.double.calls.some(({ path }) => path.includes('&s=')))
    const cause = await refused(run(await open(mysql, { username: 'other' })), 'bad_value', /not other/)
    for (const said of [point.audit, point.env.lines, cause]) assert.ok(!JSON.stringify(said).includes('&s='))
  })

  it('waits as long as the service asks for, and two seconds where it asks for nothing', async () => {
    const callsWith = async (retryAfter: number | undefined): Promise<number> => {
      const point = await open(mysql)
      Object.assign(world.double, { retryAfter, runningMs: 20_000 })
      await run(point)
      assert.equal(point.has, await point.password())
      return world.double.calls.length - 2
    }
    assert.deepEqual([await callsWith(30), await callsWith(10), await callsWith(undefined), await callsWith(0)], [1, 3, 11, 22])
    const point = await open(mysql)
    world.double.retryAfter = 86_400
    await refused(run(point), 'held', /not_propagated/)
  })

  it('a look at an operation that comes too often is repeated when the service says, and the password is not sent again', async () => {
    const point = await open(mysql)
    let times = 2
    world.double.fault = ({ path }) => (path.includes('/azureAsyncOperation/') && times-- > 0 ? 'throttle' : undefined)
    await run(point)
    assert.deepEqual([world.double.sent, world.double.calls.length, point.has], [1, 5, await point.password()])
  })

  it('an answer with one address is followed by it, and one without is the end where it says 200', async () => {
    const point = await open(mysql)
    world.double.addresses = 'location'
    await run(point)
    assert.equal(point.has, await point.password())
    assert.ok(world.double.calls.slice(2).every(({ path }) => path.includes('/operationResults/')))
    const atOnce = await open(postgres)
    world.double.addresses = 'none'
    await run(atOnce)
    assert.deepEqual([atOnce.has, world.double.calls.length], [await atOnce.password(), 2])
  })

  it('a token goes to no other host, wherever an answer points', async () => {
    for (const origin of ['https://management.azure.com.example', 'http://management.azure.com', 'https://management.azure.com:444']) {
      const point = await open(mysql)
      world.double.origin = origin
      await refused(run(point), 'target_unreachable', /gave no readable answer/)
      assert.ok((await point.store.describe(point.ref)).pending?.hasValue)
    }
  })

  it('an operation that is not known any more is begun again, with the same password', async () => {
    const point = await open(mysql)
    let times = 1
    world.double.fault = ({ path }) => {
      if (path.includes('/azureAsyncOperation/') && times-- > 0) world.double.operations.splice(0)
      return undefined
    }
    await run(point)
    assert.deepEqual([world.double.sent, point.has], [2, await point.password()])
  })

  it('a call that is not understood is a wrong value or policy, although the answer has the word password', async () => {
    const point = await open(postgres)
    world.double.refuses = () => 'unread'
    await refused(run(point), 'bad_value', /does not take what was sent.*keyturn-resource-id/)
    assert.equal((await point.store.describe(point.ref)).journal?.code, undefined)
  })

  it('a server that is at something is waited for; one that is stopped is named, with what starts it', async () => {
    for (const state of ['Updating', 'Starting', 'Restarting']) {
      const point = await open(mysql)
      point.server.state = state
      await refused(run(point), 'held', /takes the new value only later/)
      assert.equal(world.double.sent, 0)
    }
    for (const state of ['Stopped', 'Stopping', 'Disabled']) {
      const point = await open(postgres)
      point.server.state = state
      const { field } = await refused(
        run(point),
        'held',
        new RegExp(`main is ${state}, and takes no password.*az postgres flexible-server start`),
      )
      assert.equal(field, 'keyturn-resource-id')
      assert.equal(world.double.sent, 0)
    }
  })

  it('a lock is not another operation: it is named, and nothing is waited for', async () => {
    const point = await open(postgres)
    world.double.fault = ({ method }) => (method === 'PATCH' ? 'locked' : undefined)
    await refused(run(point), 'denied', /A lock forbids every change of .*az lock list/)
    assert.equal(world.double.sent, 1)
  })

  it('a password that Azure is known to refuse is not sent', async () => {
    const point = await open(mysql)
    for (const [password, why] of [
      ['Short-1', /8 to 128 characters/],
      [`${'Aa1-'.repeat(32)}x`, /8 to 128 characters/],
      ['only-small-letters', /must have 3 of these/],
      ['ümlaut-Password-1', /outside printable ASCII/],
    ] as const) {
      const given = new SecretText(JSON.stringify({ host: 'db.invalid', username: 'app', password }))
      const { field } = await refused(run(point, { kind: 'put' }, given), 'bad_value', why)
      assert.equal(field, 'password')
    }
    assert.deepEqual([world.double.calls.length, point.has], [0, firstPassword]) // nothing was asked, either
  })

  const denied = ['flexibleServers/read', 'flexibleServers/write', 'locations/azureAsyncOperation/read']
  for (const action of denied)
    it(`says which action is missing: ${action}`, async () => {
      const point = await open(mysql)
      world.double.mayNot.add(`Microsoft.DBforMySQL/${action}`)
      const why = new RegExp(`Microsoft.DBforMySQL/${action} is denied on /subscriptions/.*Grant a role with .* resource group shop`)
      await refused(run(point), 'denied', why)
      assert.equal(changed(), action.startsWith('locations') ? 1 : 0)
    })

  it('a token that is not taken is denied, and asked for anew the next time', async () => {
    const point = await open(mysql)
    const { wantsToken } = world.double
    world.double.wantsToken = () => false
    await refused(run(point), 'denied', /flexibleServers\/read is denied .*401 InvalidAuthenticationToken/)
    world.double.wantsToken = wantsToken
    await run(point, { kind: 'resume' })
    assert.equal(point.has, await point.password())
  })

  type Wrong = readonly [what: string, kind: FlexibleKind, change: (one: FlexibleServer) => void, code: string, field: string, why: RegExp]
  const wrong: readonly Wrong[] = [
    [
      'a server that is not there',
      mysql,
      () => world.double.servers.splice(0),
      'bad_policy',
      'keyturn-resource-id',
      /There is no flexible server/,
    ],
    [
      'a login that is not the administrator',
      mysql,
      (one) => Object.assign(one, { administrator: 'dba' }),
      'bad_value',
      'username',
      /its administrator is dba, not app/,
    ],
    [
      'a server that never had an administrator',
      postgres,
      (one) => Object.assign(one, { administrator: '' }),
      'bad_value',
      'username',
      /its administrator is not app/,
    ],
    [
      'a read replica of PostgreSQL',
      postgres,
      (one) => Object.assign(one, { role: 'AsyncReplica' }),
      'bad_policy',
      'keyturn-resource-id',
      /is a read replica.*Name the primary/,
    ],
    [
      'a read replica of MySQL',
      mysql,
      (one) => Object.assign(one, { role: 'Replica' }),
      'bad_policy',
      'keyturn-resource-id',
      /is a read replica/,
    ],
    [
      'a server on which password authentication is off',
      postgres,
      (one) => Object.assign(one, { passwordAuth: 'Disabled' }),
      'bad_policy',
      'keyturn-resource-id',
      /where password authentication is off.*--password-auth Enabled/,
    ],
  ]
  for (const [what, kind, change, code, named, why] of wrong)
    it(`refuses by name, and sends nothing: ${what}`, async () => {
      const point = await open(kind)
      change(point.server)
      const { field } = await refused(run(point), code, why)
      assert.equal(field, named)
      assert.deepEqual([world.double.sent, changed()], [0, 0])
      await refused(verify(point), code, why)
    })

  it('takes a source and a primary', async () => {
    for (const [kind, role] of [
      [mysql, 'Source'],
      [postgres, 'Primary'],
    ] as const) {
      const point = await open(kind)
      point.server.role = role
      await run(point)
      assert.equal(point.has, await point.password())
    }
  })

  it('adopting asks for the server and tries no password', async () => {
    const point = await open(mysql)
    const looked = await point.act(startProcess('adopt'), (deps) => adopt(deps, point.store, point.ref.shown, {}))
    assert.deepEqual([looked.passwordAccepted, looked.logsIn, looked.proof], [null, null, 'answer'])
    assert.match(looked.trial?.outlook ?? '', /no login will test the new password: it is published once Azure Resource Manager says/)
    assert.deepEqual([world.double.sent, world.double.calls.length], [0, 1])
  })

  it('names its server for whoever deploys', async () => {
    const point = await open(mysql)
    const id = idOf(point.server)
    const more = await deployedMore({ 'keyturn-rotator': 'azure-flexible-server', 'keyturn-resource-id': id })
    assert.deepEqual(more, { variables: { flexible_servers: [id] }, services: [] })
  })
})

const byLogin = (server: PostgresServer): FlexibleKind => ({ name: 'by login', provider: 'Microsoft.DBforPostgreSQL', policy: {}, server })
describeByLogin('azure-flexible-server, where a network path leads to the database', subject, byLogin, (kind) => {
  it('a login that is not the administrator is refused before anything is sent', async () => {
    const point = await open(kind())
    point.server.administrator = 'dba'
    await refused(run(point), 'bad_value', /its administrator is dba, not app/)
    assert.deepEqual([world.double.sent, world.double.calls.length], [0, 1])
  })
})
