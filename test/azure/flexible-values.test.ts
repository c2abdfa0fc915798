import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RotationError } from '../../shared/core/errors.js'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { ManagementApi } from '../../shared/rotators/azure-flexible-server/api.js'
import { lookAt } from '../../shared/rotators/azure-flexible-server/server.js'
import type { FlexibleValue } from '../../shared/rotators/azure-flexible-server/value.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { openFlexibleWorld } from '../harness/azure-flexible-point.js'
import { idOf, subscription } from '../harness/azure-management.js'
import { FakeEnv } from '../harness/fake-env.js'

const postgres = idOf({ group: 'shop', name: 'main', provider: 'Microsoft.DBforPostgreSQL' })
const mysql = idOf({ group: 'shop', name: 'main', provider: 'Microsoft.DBforMySQL' })
const rotator = await loadRotator('azure-flexible-server')
const parsed = (text: string, policy: Policy) => rotator.parse(new SecretText(text), policy) as FlexibleValue
const refuses = (act: () => unknown, code: string, field: string, text: RegExp) =>
  assert.throws(
    act,
    (cause: unknown) => cause instanceof RotationError && cause.code === code && cause.field === field && text.test(cause.message),
  )

describe('what a secret of azure-flexible-server may look like', () => {
  const parse = (text: string, id = postgres, more: Policy = {}) => {
    const value = parsed(text, { 'keyturn-resource-id': id, 'keyturn-proven-by': 'answer', ...more })
    const next = { ...value, login: { ...value.login, password: new SecretText('Next-0123456789') } }
    const { user, host } = value.login
    return { user, host, engine: value.engine, rendered: rotator.render(new SecretText(text), next).reveal() }
  }

  it('JSON without a host, a URL of either engine, and a bare password', () => {
    const json = '{"username":"app","password":"Old-0123456789"}'
    assert.deepEqual(parse(json), { user: 'app', host: '', engine: 'postgres', rendered: json.replace('Old', 'Next') })
    const url = 'mysql://app:Old-0123456789@main.mysql.database.azure.com/shop'
    const host = 'main.mysql.database.azure.com'
    assert.deepEqual(parse(url, mysql), { user: 'app', host, engine: 'mysql', rendered: url.replace('Old', 'Next') })
    const inField = parse(`{"DATABASE_URL":"${url}"}`, mysql)
    assert.deepEqual([inField.engine, inField.user], ['mysql', 'app'])
    const bare = parse('Old-0123456789', mysql, { 'keyturn-at': 'app@10.0.0.5:3306/shop' })
    assert.deepEqual([bare.user, bare.host, bare.rendered], ['app', '10.0.0.5', 'Next-0123456789'])
  })

  it('is of the engine of its server, and of no other', () => {
    for (const text of ['{"engine":"mysql","username":"app","password":"Old-0123456789"}', 'mysql://app:Old-0123456789@h/shop'])
      refuses(() => parse(text), 'bad_value', 'engine', /is of MySQL, and keyturn-resource-id names a server of PostgreSQL/)
    refuses(() => parse('{"engine":"postgres","username":"app","password":"x"}', mysql), 'bad_value', 'engine', /is of PostgreSQL, and/)
  })

  it('names its server in the policy by the id that the platform shows, in any case of letters', () => {
    const policy = (id: string): Policy => ({ 'keyturn-resource-id': id, 'keyturn-proven-by': 'answer' })
    const placeOf = (id: string) => parsed('{"username":"app","password":"x-0123456789"}', policy(id)).place
    const place = { subscription, group: 'shop', provider: 'Microsoft.DBforPostgreSQL', name: 'main' }
    assert.deepEqual(placeOf(postgres), place)
    assert.deepEqual(placeOf(postgres.replace('resourceGroups', 'resourcegroups').replace('DBforPostgreSQL', 'DBForPostgreSql')), place)
    assert.equal(placeOf(mysql).provider, 'Microsoft.DBforMySQL')
    assert.equal(placeOf(postgres.replace('/shop/', '/shöp_(1).eu/')).group, 'shöp_(1).eu')
    const key = rotator.about.policy.find(({ name }) => name === 'resource-id')
    const others = [
      'main',
      postgres.slice(1),
      `${postgres}/`,
      `${postgres}/databases/shop`,
      postgres.replace('flexibleServers', 'servers'),
      postgres.replace('DBforPostgreSQL', 'Sql'),
      postgres.replace(subscription, 'shop'),
      postgres.replace('/shop/', '/shop./'),
      postgres.replace('/shop/', '/a b/'),
    ]
    for (const id of others) assert.ok(key?.check(id), id)
    refuses(() => placeOf(''), 'bad_policy', 'keyturn-resource-id', /keyturn-resource-id does not name the server/)
  })

  it('MySQL without an answer as its proof is refused before anything is asked', () => {
    const policy = { 'keyturn-resource-id': mysql }
    const current = parsed('{"username":"app","password":"Old-0123456789"}', policy)
    const ref = { store: 'memory', key: 'db', shown: 'memory:db', name: 'db' } as never
    const context = { ref, token: 'token' as never, policy, current, deadline: 0, live: [], env: new FakeEnv() }
    refuses(() => rotator.check(context, current), 'bad_policy', 'keyturn-proven-by', /keyturn-proven-by is login, and no login to MySQL/)
  })

  it('a host that is the name of another server is refused; another way to this one is not', async () => {
    const world = await openFlexibleWorld()
    try {
      const server = world.double.make()
      const policy = { 'keyturn-resource-id': idOf(server) }
      const looked = async (host: string) => {
        const value = parsed(JSON.stringify({ host, username: 'app', password: 'x-0123456789' }), policy)
        return lookAt(new ManagementApi(new FakeEnv('values', Date.now()), value.place), value)
      }
      for (const host of ['other.postgres.database.azure.com', 'OTHER.private.postgres.database.azure.com'])
        await assert.rejects(looked(host), /The field host is .*, which is another server than main\.postgres\.database\.azure\.com/i)
      for (const host of [
        'main.postgres.database.azure.com',
        'Main.privatelink.postgres.database.azure.com',
        'db.shop.example',
        '10.0.0.4',
      ])
        assert.equal((await looked(host)).administrator, 'app')
      assert.equal((await looked('shop.writer.postgres.database.azure.com')).state, 'Ready')
    } finally {
      await world.close()
    }
  })
})
