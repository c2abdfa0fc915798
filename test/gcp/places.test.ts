import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import type { Listed } from '../../shared/core/ports/store.js'
import type { SecretRef, Token, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { clientOptions } from '../../shared/stores/gcp-secret-manager/client.js'
import { crc32c } from '../../shared/stores/gcp-secret-manager/crc32c.js'
import { payloadOf } from '../../shared/stores/gcp-secret-manager/wire.js'
import { FakeEnv } from '../harness/fake-env.js'
import { gcpHarness } from '../harness/gcp.js'
import { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'

const first = new SecretText('first value')
const second = new SecretText('second value')
const token = 'token-0123456789-0123456789-abcdef' as Token
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected
const wish = { token, kind: 'rotate', holder: 'one', leaseMs: 60_000 } as const

describe('names in Google Cloud', () => {
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let ref: SecretRef
  before(async () => {
    world = await gcpHarness('one clock')
    ref = await world.store.create('db', first, {})
  })
  after(() => world.close())

  for (const text of [
    'db',
    'gcp:db',
    'gcp:projects/p/secrets/db',
    'projects/123456789012/secrets/db',
    'projects/123456789012/secrets/db/versions/1',
    '//secretmanager.googleapis.com/projects/123456789012/secrets/db',
  ]) {
    it(`${text} is one secret`, async () => {
      assert.equal((await world.store.resolve(text)).key, ref.key)
      const found = await world.store.readCurrent(text)
      assert.deepEqual([found.ref.key, found.value.reveal()], [ref.key, 'first value'])
    })
  }

  it('the same name in another project is another secret', async () => {
    const other = await world.store.create('gcp:projects/q/secrets/db', second, {})
    assert.notEqual(other.key, ref.key)
    assert.equal((await world.store.readCurrent('projects/210987654321/secrets/db')).value.reveal(), 'second value')
  })

  it('reads another secret with one call and one right', async () => {
    world.double.calls.length = 0
    world.double.mayNot = (permission) => permission !== 'secretmanager.versions.access'
    await world.store.readCurrent('db')
    world.double.mayNot = () => false
    assert.deepEqual(
      world.double.calls.map(({ name }) => name),
      ['AccessSecretVersion'],
    )
  })

  it('says not_found of a newest version that is disabled: who reads the latest one gets nothing', async () => {
    const off = await world.store.create('off', first, {})
    world.double.do('DisableSecretVersion', { name: `${off.key}/versions/1` })
    await assert.rejects(world.store.readCurrent('off'), code('not_found'))
  })

  it('takes the project of the process from its variable', async () => {
    const store = GcpSecretManagerAdmin.openFrom({ GOOGLE_CLOUD_PROJECT: 'q' }, world.env)
    await assert.rejects(store.resolve('gcp:a b'), code('bad_event'))
    await store.close()
  })
})

describe('secrets of a region', () => {
  it('have an endpoint of their own', () => {
    assert.deepEqual(clientOptions('europe-west3'), { apiEndpoint: 'secretmanager.europe-west3.rep.googleapis.com' })
    assert.deepEqual(clientOptions(undefined), {})
  })

  it('go through a client of that region, staging place included, and are other secrets than the global ones', async () => {
    const env = new FakeEnv()
    const double = await GcpSecretManagerDouble.open(env.now)
    const opened: (string | undefined)[] = []
    const open = (location: string | undefined): SecretManagerServiceClient => {
      opened.push(location)
      return new SecretManagerServiceClient(double.clientOptions)
    }
    const store = new GcpSecretManagerAdmin({ env, project: 'p', open })
    const ref = await store.create('gcp:projects/p/locations/europe-west3/secrets/db', first, { 'keyturn-rotator': 'memory-a' })
    const claim = await store.claim(await store.describe(ref), wish)
    await store.publish(claim, (await store.stage(claim, second)).version)
    assert.deepEqual(opened, ['europe-west3'])
    assert.deepEqual([...double.secrets.keys()], [ref.key, `${ref.key}--pending`])
    assert.equal(ref.key, 'projects/123456789012/locations/europe-west3/secrets/db')
    await assert.rejects(store.resolve('db'), code('not_found'))
    assert.deepEqual(opened, ['europe-west3', undefined])
    await store.close()
    await double.close()
  })
})

describe('the staging place', () => {
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let ref: SecretRef
  beforeEach(async () => {
    world = await gcpHarness('one clock')
    ref = await world.store.create('db', first, { 'keyturn-rotator': 'memory-a' })
  })
  afterEach(() => world.close())
  const place = () => `${ref.key}--pending`
  const staged = async () => {
    const claim = await world.store.claim(await world.store.describe(ref), wish)
    return { claim, ...(await world.store.stage(claim, second)) }
  }
  const values = () => world.double.secrets.get(ref.key)?.versions.map(({ data }) => Buffer.from(data ?? '').toString())

  it('of a managed secret is lost when somebody deletes it: nothing can be claimed until a person makes it again', async () => {
    const seen = await world.store.describe(ref)
    world.double.do('DeleteSecret', { name: place() })
    const state = await world.store.describe(ref)
    assert.deepEqual([state.placeLost, state.journal, state.current?.id], [true, null, '1'])
    for (const one of [seen, state]) await assert.rejects(world.store.claim(one, wish), code('stuck'))
    await assert.rejects(world.store.note(state, { code: 'stuck' }), code('stuck'))
    await world.store.restorePlace?.(ref)
    await world.store.restorePlace?.(ref)
    const again = await world.store.describe(ref)
    assert.equal(again.placeLost, undefined)
    await world.store.claim(again, wish)
  })

  it('that goes while a value is kept says stuck, not that the secret is gone', async () => {
    const { claim } = await staged()
    world.double.fault = ({ name }) => (name === 'AddSecretVersion' ? { code: 5, message: 'Secret not found.' } : undefined)
    await world.store.discard(claim, 'pending-1' as VersionId)
    await assert.rejects(world.store.stage(claim, first), code('stuck'))
  })

  it('that goes while it is read is a lost one at the next look, and the secret is still there', async () => {
    await staged()
    world.double.fault = ({ name, staging }) => {
      if (name === 'ListSecretVersions' && staging) world.double.secrets.delete(place())
      return undefined
    }
    assert.equal((await world.store.describe(ref)).pending, undefined)
    assert.equal((await world.store.describe(ref)).placeLost, true)
  })

  it('that goes between test and publication stops nothing for who has the tested value', async () => {
    const { claim, version } = await staged()
    world.double.do('DeleteSecret', { name: place() })
    await assert.rejects(world.store.publish(claim, version), code('stuck'))
    assert.equal((await world.store.publish(claim, version, second)).id, '2')
    assert.deepEqual(values(), ['first value', 'second value'])
  })

  it('of a secret that nobody adopted is not there; a policy makes it', async () => {
    world.double.do('CreateSecret', { parent: 'projects/p', secretId: 'old', secret: { replication: { automatic: {} } } })
    world.double.do('AddSecretVersion', { parent: 'projects/p/secrets/old', payload: { data: Buffer.from('old value') } })
    const old = await world.store.resolve('old')
    const state = await world.store.describe(old)
    assert.deepEqual([state.placeLost, state.journal, state.policy], [undefined, null, {}])
    await assert.rejects(world.store.claim(state, wish), code('bad_config'))
    await world.store.setPolicy(old, { 'keyturn-rotator': 'memory-a' })
    await world.store.claim(await world.store.describe(old), wish)
  })

  it('goes with release, and not while a value is staged', async () => {
    await staged()
    await assert.rejects(world.store.release(ref), code('held'))
    assert.ok(world.double.secrets.has(place()))
    const claim = await world.store.claim(await world.store.describe(ref), wish)
    await world.store.publish(claim, 'pending-1' as VersionId)
    await world.store.release(ref)
    assert.deepEqual([...world.double.secrets.keys()], [ref.key])
  })

  it('keeps a value whose journal was wiped: it is loose, with its token, base and kind', async () => {
    const { claim, version } = await staged()
    const wiped = { name: place(), annotations: {} }
    world.double.do('UpdateSecret', { secret: wiped, updateMask: { paths: ['annotations'] } })
    const { journal, pending, loose } = await world.store.describe(ref)
    assert.deepEqual([journal, pending], [null, undefined])
    assert.deepEqual(
      loose.map(({ id, token, base, kind }) => [id, token, base, kind]),
      [[version, claim.token, '1', 'rotate']],
    )
  })

  it('gives a value up in the journal first: who lost the claim removes nothing', async () => {
    const { claim, version } = await staged()
    world.env.time += 61_000
    await world.store.claim(await world.store.describe(ref), { ...wish, holder: 'two' })
    await assert.rejects(world.store.discard(claim, version), code('conflict'))
    assert.equal((await world.store.read(ref, version)).reveal(), 'second value')
  })

  it('gives a value up without destroying it', async () => {
    const { claim, version } = await staged()
    await world.store.discard(claim, version)
    assert.equal(world.double.secrets.get(place())?.versions[0]?.state, 'DISABLED')
  })
})

describe('a listing of Google Cloud', () => {
  it('shows the secrets of a project over many pages, with policy and notice, and no staging place', async () => {
    const world = await gcpHarness('one clock')
    world.double.pageSize = 2
    for (const name of ['a', 'b', 'c']) await world.store.create(name, first, name === 'b' ? {} : { 'keyturn-rotator': 'memory-a' })
    const nextAt = world.env.time + 86_400_000
    const rotation = { nextRotationTime: { seconds: nextAt / 1000 } }
    const secret = { name: 'projects/p/secrets/a', topics: [{ name: 'projects/p/topics/t' }], rotation }
    world.double.do('UpdateSecret', { secret, updateMask: { paths: ['topics', 'rotation'] } })
    const found: Listed[] = []
    for await (const one of world.store.list({ managed: true })) found.push(one)
    assert.deepEqual(
      found.map(({ ref, policy, native }) => [ref.shown, policy, native]),
      [
        ['gcp:projects/p/secrets/c', { 'keyturn-rotator': 'memory-a' }, undefined],
        ['gcp:projects/p/secrets/a', { 'keyturn-rotator': 'memory-a' }, { does: 'notifies', nextAt, everyMsMin: 3_600_000, replicas: [] }],
      ],
    )
    const ref = await world.store.resolve('a')
    assert.deepEqual(found[1]?.ref, ref)
    assert.deepEqual((await world.store.describe(ref)).native, found[1]?.native)
    await world.close()
  })
})

describe('a listing with locations', () => {
  let double: GcpSecretManagerDouble
  let store: GcpSecretManagerAdmin
  const policy = { 'keyturn-rotator': 'memory-a' }
  const opened: (string | undefined)[] = []
  beforeEach(async () => {
    const env = new FakeEnv()
    double = await GcpSecretManagerDouble.open(env.now)
    double.pageSize = 2
    opened.length = 0
    const open = (location: string | undefined): SecretManagerServiceClient => {
      opened.push(location)
      return new SecretManagerServiceClient(double.clientOptions)
    }
    const environment = { GOOGLE_CLOUD_PROJECT: 'p', KEYTURN_GCP_LOCATIONS: ' europe-west3  us-east1 europe-west3 ' }
    store = GcpSecretManagerAdmin.openFrom(environment, env, open)
    for (const name of ['a', 'b', 'c']) await store.create(name, first, policy)
    for (const location of ['us-east1', 'europe-west3', 'asia-east1'])
      for (const name of ['a', 'b', 'c']) await store.create(`gcp:projects/p/locations/${location}/secrets/${name}`, first, policy)
  })
  afterEach(async () => {
    await store.close()
    await double.close()
  })
  const inLocation = (location: string) => ['c', 'b', 'a'].map((name) => `gcp:projects/p/locations/${location}/secrets/${name}`)
  const listed = async (failed?: (shown: string, cause: unknown) => void) => {
    const found: Listed[] = []
    for await (const one of store.list({ managed: true }, failed)) found.push(one)
    return found
  }

  it('shows the global secrets first, then those of each location, through its endpoint, a page at a time', async () => {
    opened.length = 0
    double.calls.length = 0
    const found = await listed()
    assert.deepEqual(
      found.map(({ ref }) => ref.shown),
      [...['c', 'b', 'a'].map((name) => `gcp:projects/p/secrets/${name}`), ...inLocation('europe-west3'), ...inLocation('us-east1')],
    )
    const pages = double.calls.filter(({ name }) => name === 'ListSecrets').map(({ resource }) => resource)
    const parents = ['projects/p', 'projects/p/locations/europe-west3', 'projects/p/locations/us-east1']
    assert.deepEqual(
      pages,
      parents.flatMap((parent) => [parent, parent, parent]),
    )
    assert.deepEqual(opened, [], 'the clients that are there already')
    for (const { ref } of found) assert.deepEqual(await store.resolve(ref.shown), ref)
  })

  it('asks for a page only when it is wanted: nothing is gathered', async () => {
    double.calls.length = 0
    for await (const { ref } of store.list({ managed: true })) if (ref.shown.includes('europe-west3')) break
    assert.ok(double.calls.every(({ resource }) => !resource.includes('us-east1')))
  })

  it('goes on where one location cannot be listed, and says which; without anybody to tell it ends', async () => {
    double.fault = ({ resource }) => (resource.endsWith('europe-west3') ? 'unavailable' : undefined)
    const failed: unknown[][] = []
    const found = await listed((shown, cause) => failed.push([shown, (cause as { code: string }).code, (cause as Error).message]))
    assert.deepEqual(
      found.slice(3).map(({ ref }) => ref.shown),
      inLocation('us-east1'),
    )
    const shown = 'gcp:projects/p/locations/europe-west3'
    assert.deepEqual(failed, [[shown, 'unavailable', `The secrets of ${shown} could not be listed (UNAVAILABLE).`]])
    await assert.rejects(listed(), (cause) => store.classify(cause) === 'unavailable')
  })

  it('takes only names of locations', async () => {
    for (const [text, wrong] of [
      ['europe-west3,us-east1', 'europe-west3,us-east1'],
      ['us-east1 ../x', '../x'],
      ['EUROPE', 'EUROPE'],
    ] as const) {
      assert.throws(
        () => GcpSecretManagerAdmin.openFrom({ KEYTURN_GCP_LOCATIONS: text }, new FakeEnv()),
        (cause: Error & { field?: string }) =>
          code('bad_config')(cause) && cause.field === 'KEYTURN_GCP_LOCATIONS' && cause.message.includes(`"${wrong}"`),
      )
    }
  })
})

describe('a payload', () => {
  const name = 'projects/1/secrets/db/versions/3'
  const data = Buffer.from('a value')

  it('is taken with the checksum that fits, as a number or a text', () => {
    for (const dataCrc32c of [crc32c(data), String(crc32c(data))])
      assert.equal(payloadOf({ name, payload: { data, dataCrc32c } }).number, 3)
  })
  it('is read again where the checksum does not fit or is missing', () => {
    assert.throws(() => payloadOf({ name, payload: { data, dataCrc32c: crc32c(data) + 1 } }), code('unavailable'))
    assert.throws(() => payloadOf({ name, payload: { data } }), code('unavailable'))
  })
})
