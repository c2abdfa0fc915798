import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { RotationError } from '../../shared/core/errors.js'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { adopt, verifyCurrent } from '../../shared/lifecycle/secret/adopt.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { settingFor } from '../crash/settings.js'
import { CloudSqlPoint, type CloudSqlWorld, openCloudSqlWorld } from '../harness/cloud-sql-point.js'
import { startProcess } from '../harness/faults.js'
import { laterMs } from '../harness/world.js'

let world: CloudSqlWorld
before(async () => {
  world = await openCloudSqlWorld()
})
after(() => world.close())
const { openStore } = settingFor('gcp', 'a')
/** A secret of an instance of MySQL that says nothing of proven-by, so that a login is to prove it. */
const open = (more: object) => CloudSqlPoint.open(world, openStore, { name: 'MySQL', version: 'MYSQL_8_0', policy: {} }, more)
const run = (point: CloudSqlPoint) => {
  point.env.time += laterMs
  return point.run(startProcess('one'))
}
const refused = (running: Promise<unknown>, code: string, text: RegExp) =>
  assert.rejects(running, (cause: unknown) => cause instanceof RotationError && cause.code === code && text.test(cause.message))

describe('what a secret of cloud-sql may look like', () => {
  const policy = { 'keyturn-instance': 'shop-prod:main', 'keyturn-proven-by': 'answer' }
  const parse = async (text: string, more: Policy = {}) => {
    const rotator = await loadRotator('cloud-sql')
    const value = rotator.parse(new SecretText(text), { ...policy, ...more }) as {
      login: { user: string; host: string }
      engine?: string
      place: object
    }
    const next = new SecretText('Next-0123456789')
    const rendered = rotator.render(new SecretText(text), { ...value, login: { ...value.login, password: next } }).reveal()
    return { user: value.login.user, host: value.login.host, engine: value.engine, place: value.place, rendered }
  }
  const place = { project: 'shop-prod', instance: 'main' }

  it('JSON without a host, a URL of either engine, and a bare password', async () => {
    const plain = await parse('{"username":"app","password":"Old-0123456789"}')
    assert.deepEqual(plain, {
      user: 'app',
      host: '',
      engine: undefined,
      place,
      rendered: '{"username":"app","password":"Next-0123456789"}',
    })
    const url = await parse('mysql://app:Old-0123456789@10.0.0.5/shop')
    assert.deepEqual([url.engine, url.rendered], ['mysql', 'mysql://app:Next-0123456789@10.0.0.5/shop'])
    const inField = await parse('{"DATABASE_URL":"mysql://app:Old-0123456789@10.0.0.5/shop"}')
    assert.deepEqual([inField.engine, inField.user], ['mysql', 'app'])
    assert.equal((await parse('postgres://app:Old-0123456789@10.0.0.5/shop')).engine, 'postgres')
    const bare = await parse('Old-0123456789', { 'keyturn-at': 'app@10.0.0.5:3306/shop' })
    assert.deepEqual([bare.user, bare.rendered], ['app', 'Next-0123456789'])
  })

  it('names its instance in the policy, with or without its region', async () => {
    const of = async (name: string) => (await parse('{"username":"app","password":"x-0123456789"}', { 'keyturn-instance': name })).place
    assert.deepEqual(await of('shop-prod:europe-west3:main'), place)
    assert.deepEqual(await of('example.com:shop-prod:europe-west3:main'), { ...place, project: 'example.com:shop-prod' })
    assert.deepEqual(await of('example.com:shop-prod:main'), { ...place, project: 'example.com:shop-prod' })
    const rotator = await loadRotator('cloud-sql')
    const key = rotator.about.policy.find(({ name }) => name === 'instance')
    for (const name of ['main', 'shop-prod', 'shop-prod:', 'Shop:main', 'shop-prod/main', 'a:b:c:d:e']) assert.ok(key?.check(name), name)
    await refused(
      parse('{"username":"app","password":"x-0123456789"}', { 'keyturn-instance': '' }),
      'bad_policy',
      /keyturn-instance does not name/,
    )
  })

  it('MySQL without an answer as its proof is refused before anything is asked', async () => {
    const point = await open({ engine: 'mysql' })
    await refused(run(point), 'bad_policy', /keyturn-proven-by is login, and no login to MySQL/)
    assert.equal(world.double.calls.length, 0)
  })
})

describe('a value that does not name its engine, where a login is to prove it', () => {
  it('is refused by name where the instance runs MySQL, before anything logs in: by a rotation, verify and adopt', async () => {
    let logins = 0
    const listening = createServer((socket) => {
      logins++
      socket.destroy()
    })
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
    const { port } = listening.address() as AddressInfo
    try {
      const point = await open({ host: '127.0.0.1', port, sslmode: 'disable' })
      const why = /keyturn-proven-by is login, and no login to MySQL/
      await refused(run(point), 'bad_policy', why)
      await refused(
        point.act(startProcess('verify'), (deps) => verifyCurrent(deps, point.ref.shown)),
        'bad_policy',
        why,
      )
      await refused(
        point.act(startProcess('adopt'), (deps) => adopt(deps, point.store, point.ref.shown, {})),
        'bad_policy',
        why,
      )
      assert.deepEqual([logins, world.double.sent], [0, 0])
    } finally {
      await new Promise((resolve) => listening.close(resolve))
    }
  })
})
