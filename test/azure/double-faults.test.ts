import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { SecretClient, SecretClientOptions } from '@azure/keyvault-secrets'
import { all, clientOf, fails, refusalOf } from '../harness/key-vault/client.js'
import { type Fault, KeyVaultDouble } from '../harness/key-vault.js'

const start = Date.UTC(2026, 0, 5, 12)
let time = start
let double: KeyVaultDouble
let client: SecretClient

before(async () => {
  double = await KeyVaultDouble.open(() => time)
})
after(() => double.close())
beforeEach(() => {
  time = start
  double.reset()
  client = clientOf(double)
})

const add = (value = 'one', name = 'db') => client.setSecret(name, value)
const once = (fault: Fault) => {
  double.fault = (_, n) => (n === 1 ? fault : undefined)
}
const values = (name = 'db') => double.versions(name).map(({ value }) => value)
const listed = async () => (await all(client.listPropertiesOfSecretVersions('db'))).length
const hold = () => {
  let release = (): void => {}
  const until = new Promise<void>((resolve) => {
    release = resolve
  })
  return { until, release: () => release() }
}
/** Waits for something to come true, by turns of the event loop. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}
const ways: readonly (readonly [name: string, options: () => SecretClientOptions])[] = [
  ['over TLS', () => ({})],
  ['without sockets', () => double.inProcessOptions],
]

for (const [way, options] of ways)
  describe(`faults ${way}`, () => {
    beforeEach(() => {
      client = clientOf(double, options())
    })

    it('an answer is lost after the write: the connection is gone, the version is there', async () => {
      once('lost')
      const { code, statusCode, message } = await refusalOf(add())
      assert.deepEqual([code, statusCode, message], ['ECONNRESET', undefined, 'socket hang up'])
      assert.deepEqual([values(), double.count('SetSecret')], [['one'], 1])
    })

    it('the connection ends before the write: the same error, and no version', async () => {
      once('cut')
      const { code, message } = await refusalOf(add())
      assert.deepEqual([code, message], ['ECONNRESET', 'socket hang up'])
      assert.deepEqual([values(), double.count('SetSecret')], [[], 1])
    })

    it('the client left to itself repeats a write whose answer was lost: two versions', async () => {
      client = clientOf(double, { ...options(), retryOptions: { maxRetries: 1, retryDelayInMs: 1 } })
      once('lost')
      await add()
      assert.deepEqual(values(), ['one', 'one'])
    })

    it('refused by a status, nothing is done', async () => {
      const refusals = [
        ['unavailable', 503, 'ServiceUnavailable'],
        ['throttle', 429, 'Throttled'],
        ['internal', 500, 'InternalServerError'],
        ['conflict', 409, 'Conflict'],
        [{ status: 418, code: 'AsAsked', message: 'as asked' }, 418, 'AsAsked'],
      ] as const
      for (const [fault, status, code] of refusals) {
        double.fault = () => fault
        await fails(add(), status, code)
      }
      assert.deepEqual([values(), double.writes(), double.writesOf('db')], [[], refusals.length, 0])
    })

    it('the client repeats what was throttled as soon as it may, and no conflict', async () => {
      client = clientOf(double, { ...options(), retryOptions: { maxRetries: 3, retryDelayInMs: 1 } })
      double.retryAfterSeconds = 0
      double.fault = (_, n) => (n <= 3 ? 'throttle' : undefined)
      await add()
      assert.deepEqual([values(), double.count()], [['one'], 4])
      double.fault = (_, n) => (n <= 6 ? { status: 503, code: 'Busy', retryAfterSeconds: 0 } : 'conflict')
      await fails(add(), 409, 'Conflict')
      assert.deepEqual([values(), double.count()], [['one'], 7])
    })

    it('who gives up on an answer that is held has written all the same', async () => {
      const { until: released, release } = hold()
      once({ held: released })
      const abort = new AbortController()
      const call = client.setSecret('db', 'one', { abortSignal: abort.signal })
      const refused = assert.rejects(call, { name: 'AbortError' })
      await until(() => values().length === 1)
      abort.abort()
      await refused
      release()
      await add('two')
      assert.deepEqual(values(), ['one', 'two'])
    })

    it('a request that is delayed is done when the test lets it', async () => {
      await add()
      const { until: released, release } = hold()
      double.fault = ({ name }) => (name === 'GetSecret' ? { delayed: released } : undefined)
      const call = client.getSecret('db')
      await until(() => double.count('GetSecret') === 1)
      await add('two')
      release()
      assert.equal((await call).value, 'two')
    })
  })

describe('writes of one secret', () => {
  it('of two that are in the service at the same time, one is refused: 409, and it is not done', async () => {
    await add('zero')
    const { until: released, release } = hold()
    double.fault = ({ request }) => (request.includes('"one"') ? { delayed: released } : undefined)
    const slow = add('one')
    await until(() => double.count() === 2)
    await fails(add('two'), 409, 'Conflict')
    await fails(client.updateSecretProperties('db', '', { enabled: false }), 409, 'Conflict')
    release()
    await slow
    await add('three')
    assert.deepEqual(values(), ['zero', 'one', 'three'])
  })

  it('that are slow come to their end', async () => {
    once({ slowMs: 20 })
    await add()
    assert.deepEqual(values(), ['one'])
  })

  it('that overlap with a read or a write of another secret are done', async () => {
    await add('zero')
    const { until: released, release } = hold()
    double.fault = ({ request }) => (request.includes('"one"') ? { delayed: released } : undefined)
    const slow = add('one')
    await until(() => double.count() === 2)
    assert.equal((await client.getSecret('db')).value, 'zero')
    await add('two', 'api')
    await clientOf(double, { vault: 'staging' }).setSecret('db', 'three')
    release()
    await slow
    assert.deepEqual([values(), values('api')], [['zero', 'one'], ['two']])
  })

  it('whose answer is only held do not overlap with the next', async () => {
    await add('zero')
    const { until: released, release } = hold()
    double.fault = ({ request }) => (request.includes('"one"') ? { held: released } : undefined)
    const held = add('one')
    await until(() => values().length === 2)
    await add('two')
    release()
    await held
    assert.deepEqual(values(), ['zero', 'one', 'two'])
  })
})

describe('what comes late', () => {
  it('a list may not show the last writes, while a read of the newest does', async () => {
    for (const value of ['one', 'two', 'three']) await add(value)
    double.fault = () => 'stale'
    assert.deepEqual([await listed(), (await client.getSecret('db')).value], [2, 'three'])
    double.fault = () => ({ staleWrites: 2 })
    assert.deepEqual([await listed(), (await client.getSecret('db')).value], [1, 'three'])
    double.fault = () => ({ staleWrites: 9 })
    assert.deepEqual([await listed(), await all(client.listPropertiesOfSecrets())], [0, []])
  })

  it('a list shows tags and states as they were', async () => {
    const { properties } = await client.setSecret('db', 'one', { tags: { a: '1' } })
    await client.updateSecretProperties('db', properties.version ?? '', { tags: { a: '2' }, enabled: false })
    double.fault = () => 'stale'
    const [old] = await all(client.listPropertiesOfSecretVersions('db'))
    assert.deepEqual([old?.tags, old?.enabled], [{ a: '1' }, true])
  })

  it('a read is old only where the test says so', async () => {
    for (const value of ['one', 'two']) await add(value)
    double.fault = () => ({ staleWrites: 1, reads: true })
    assert.equal((await client.getSecret('db')).value, 'one')
    const version = double.versions('db')[1]?.id ?? ''
    await fails(client.getSecret('db', { version }), 404, 'SecretNotFound')
    await client.updateSecretProperties('db', version, { enabled: false })
    assert.equal(double.versions('db')[1]?.enabled, false, 'a write sees what is')
  })

  it('counts the writes of each secret and vault by itself', async () => {
    await add('one')
    await add('two', 'api')
    await clientOf(double, { vault: 'staging' }).setSecret('db', 'three')
    double.writeForeign('db', 'four')
    await fails(client.getSecret('nobody'), 404, 'SecretNotFound')
    assert.deepEqual([double.writesOf('db'), double.writesOf('api'), double.writesOf('db', 'staging')], [2, 1, 1])
  })
})

describe('what a test sees', () => {
  it('counts calls by name and writes by where they went', async () => {
    await add()
    const { properties } = await add('two', 'db-pending')
    await client.updateSecretProperties('db-pending', properties.version ?? '', { enabled: false })
    await listed()
    assert.deepEqual([double.count(), double.count('SetSecret'), double.count('GetSecret'), double.challenges], [4, 2, 0, 1])
    assert.deepEqual([double.writes(), double.writes('staging'), double.writes('consumer')], [3, 2, 1])
    assert.deepEqual(double.calls[2], {
      name: 'UpdateSecret',
      vault: 'app',
      secret: 'db-pending',
      version: properties.version,
      request: '{"attributes":{"enabled":false}}',
      at: start,
      writes: true,
      staging: true,
    })
    double.isStaging = (_, vault) => vault === 'staging'
    await clientOf(double, { vault: 'staging' }).setSecret('db', 'three')
    assert.deepEqual([double.writes('staging'), double.calls.at(-1)?.staging], [3, true])
  })

  it('what a person writes by the portal is a version without our tags, and not a call', async () => {
    await client.setSecret('db', 'one', { tags: { ours: 'yes' } })
    const id = double.writeForeign('db', 'two', { tags: { theirs: 'yes' } })
    double.writeForeign('new', 'three')
    assert.deepEqual([double.count(), values('new')], [1, ['three']])
    const { value, properties } = await client.getSecret('db')
    assert.deepEqual([value, properties.version, properties.tags], ['two', id, { theirs: 'yes' }])
    assert.deepEqual(
      double.versions('db').map(({ tags, enabled }) => [tags, enabled]),
      [
        [{ ours: 'yes' }, true],
        [{ theirs: 'yes' }, true],
      ],
    )
    await client.beginDeleteSecret('db')
    assert.throws(() => double.writeForeign('db', 'four'), /deleted but recoverable/)
    assert.equal(double.versions('db').length, 2)
    assert.throws(() => double.writeForeign('db', 'x', {}, 'nobody'), /no vault/)
  })

  it('is as it was opened after a reset, on the same connection', async () => {
    const fresh = (): unknown =>
      structuredClone(JSON.parse(JSON.stringify({ ...double, vaults: [...double.vaults], deny: [...double.deny] })))
    double.reset()
    const before = fresh()
    Object.assign(double, { wantsToken: 'x', pageSize: 1, retryAfterSeconds: 9, subscribed: false, tellsMovedExpiry: true })
    Object.assign(double.vault(), { refusesAddress: true, purgeProtected: true, retentionDays: 7 })
    double.deny.add('Microsoft.KeyVault/vaults/secrets/setSecret/action')
    double.addVault('late')
    double.fault = () => 'internal'
    double.mayNot = () => true
    await fails(add(), 401, 'Unauthorized')
    double.reset()
    assert.deepEqual(fresh(), before)
    const first = await add()
    double.reset()
    const again = await add()
    assert.equal(again.properties.version, first.properties.version, 'a run can be repeated')
  })
})
