import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { RotationError } from '../../shared/core/errors.js'
import type { SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { gcpHarness } from '../harness/gcp.js'

const [first, second] = ['first value', 'second value'].map((text) => new SecretText(text)) as [SecretText, SecretText]
const token = 'token-0123456789-0123456789-abcdef' as Token
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected
const day = 86_400_000

describe('what a person may do with a secret of Google Cloud', () => {
  let world: Awaited<ReturnType<typeof gcpHarness>>
  beforeEach(async () => {
    world = await gcpHarness('one clock')
  })
  afterEach(() => world.close())

  /** A secret of somebody else, with all that a secret can have. */
  const foreign = async (location?: string): Promise<SecretRef> => {
    const parent = location === undefined ? 'projects/p' : `projects/p/locations/${location}`
    const name = `${parent}/secrets/db`
    const replication = {
      userManaged: { replicas: [{ location: 'us-east1', customerManagedEncryption: { kmsKeyName: 'projects/p/keys/k' } }] },
    }
    const fields = {
      ...(location === undefined ? { replication } : {}),
      labels: { team: 'ü-1', 'keyturn-role': 'another' },
      annotations: { note: ' "%\'\\ü\n', 'example.com_owner': '', keyturn: 'not ours' },
      topics: [{ name: 'projects/p/topics/one' }, { name: 'projects/q/topics/two' }],
      versionDestroyTtl: { seconds: 86_400 * 2 },
      expireTime: { seconds: (world.env.time + 900 * day) / 1000 },
    }
    world.double.do('CreateSecret', { parent, secretId: 'db', secret: fields })
    world.double.do('AddSecretVersion', { parent: name, payload: { data: Buffer.from(first.reveal()) } })
    const aliases = { secret: { name, versionAliases: { stable: 1, previous: 1 } }, updateMask: { paths: ['version_aliases'] } }
    world.double.do('UpdateSecret', aliases)
    return world.store.resolve(`gcp:${name}`)
  }
  /** Everything that the service keeps of all secrets, but the etag, which each write changes. */
  const kept = (): unknown => {
    const all = [...world.double.secrets.values()].map(({ etag: _, ...secret }) => secret)
    return structuredClone(all)
  }

  for (const location of [undefined, 'europe-west3']) {
    it(`release leaves a ${location === undefined ? 'global' : 'regional'} secret as it was, byte for byte`, async () => {
      const ref = await foreign(location)
      const before = kept()
      const policy = { 'keyturn-rotator': 'memory-a', 'keyturn-every': '30d', 'keyturn-owner': 'me' }
      await world.store.setPolicy(ref, policy)
      assert.ok(world.double.secrets.has(`${ref.key}--pending`))
      assert.equal(world.double.secrets.get(ref.key)?.rotation?.periodMs, 30 * day)
      await world.store.release(ref)
      assert.deepEqual(kept(), before)
      world.double.calls.length = 0
      await world.store.release(ref)
      assert.equal(world.double.writes(), 0, 'there is nothing left to take away')
    })
  }

  it('release keeps a schedule of somebody else, and what rotations have published', async () => {
    const ref = await foreign()
    const rotation = { nextRotationTime: { seconds: (world.env.time + day) / 1000 }, rotationPeriod: { seconds: 86_400 } }
    world.double.do('UpdateSecret', { secret: { name: ref.key, rotation }, updateMask: { paths: ['rotation'] } })
    const before = world.double.secrets.get(ref.key)?.rotation
    await world.store.setPolicy(ref, { 'keyturn-rotator': 'memory-a' })
    const wish = { token, kind: 'rotate', holder: 'one', leaseMs: 60_000 } as const
    const claim = await world.store.claim(await world.store.describe(ref), wish)
    await world.store.publish(claim, (await world.store.stage(claim, second)).version)
    await world.store.release(ref)
    const secret = world.double.secrets.get(ref.key)
    assert.deepEqual(secret?.rotation, before)
    assert.deepEqual(Object.fromEntries(secret?.aliases ?? []), { stable: 1, current: 2, previous: 1 })
    assert.deepEqual(Object.keys(Object.fromEntries(secret?.annotations ?? [])).sort(), ['example.com_owner', 'keyturn', 'note'])
    assert.deepEqual([...world.double.secrets.keys()], [ref.key])
  })

  it('release that dies between its two writes is finished by the next one', async () => {
    const ref = await foreign()
    const before = kept()
    await world.store.setPolicy(ref, { 'keyturn-rotator': 'memory-a', 'keyturn-every': '30d' })
    world.double.fault = ({ name }) => (name === 'DeleteSecret' ? 'cut' : undefined)
    await assert.rejects(world.store.release(ref))
    world.double.fault = () => undefined
    await world.store.release(ref)
    assert.deepEqual(kept(), before)
  })

  it('release does not take away what somebody changes meanwhile: conflict', async () => {
    const ref = await foreign()
    await world.store.setPolicy(ref, { 'keyturn-rotator': 'memory-a' })
    world.double.fault = ({ name, staging }) => {
      const secret = world.double.secrets.get(ref.key)
      if (name === 'UpdateSecret' && !staging && secret !== undefined) secret.etag = '"changed"'
      return undefined
    }
    await assert.rejects(world.store.release(ref), (cause) => world.store.classify(cause) === 'conflict')
    assert.ok(world.double.secrets.has(`${ref.key}--pending`))
  })

  it('create makes the secret, its staging place and the first version, and nothing where one is there', async () => {
    const policy = { 'keyturn-rotator': 'memory-a', 'keyturn-every': '30d' }
    const ref = await world.store.create('db', first, policy)
    const secret = world.double.secrets.get(ref.key)
    assert.deepEqual(Object.fromEntries(secret?.annotations ?? []), policy)
    assert.deepEqual([secret?.rotation, secret?.topics], [undefined, []])
    assert.deepEqual([...world.double.secrets.keys()], [ref.key, `${ref.key}--pending`])
    const before = kept()
    await assert.rejects(world.store.create('db', second, {}), code('exists'))
    assert.deepEqual(kept(), before)
  })

  for (const location of [undefined, 'europe-west3'])
    it(`the commands in messages on a ${location === undefined ? 'global' : 'regional'} secret name its project, and its location`, async () => {
      const ref = await foreign(location)
      await world.store.setPolicy(ref, { 'keyturn-rotator': 'memory-a' })
      const place = world.double.secrets.get(`${ref.key}--pending`) ?? assert.fail('no place')
      const where = location === undefined ? '--project=123456789012' : `--project=123456789012 --location=${location}`
      const nextOf = (work: Promise<unknown>): Promise<string> =>
        work.then(
          () => assert.fail('it was done'),
          ({ next }: RotationError) => next,
        )
      const alias = await nextOf(world.store.setPolicy(ref, { 'keyturn-aliases': 'only' }))
      assert.ok(alias.includes(`gcloud secrets update db ${where} --update-version-aliases=current=NUMBER`), alias)
      place.annotations.set('keyturn-state', '{"retiring":')
      const journal = await nextOf(world.store.describe(ref))
      assert.ok(journal.includes(`gcloud secrets update db--pending ${where} --remove-annotations=keyturn-state`), journal)
      place.annotations.delete('keyturn-state')
      place.labels.clear()
      const label = await nextOf(world.store.setPolicy(ref, { 'keyturn-grace': '2h' }))
      assert.match(label, /^Use another name for the managed secret, or delete db--pending if nobody needs it\./)
      assert.ok(label.includes(`gcloud secrets update db--pending ${where} --update-labels=keyturn-role=staging`), label)
    })

  it('history shows every version, newest first, also those that cannot be read, over many pages', async () => {
    world.double.pageSize = 2
    const ref = await foreign()
    for (const text of ['b', 'c', 'd', 'e']) world.double.do('AddSecretVersion', { parent: ref.key, payload: { data: Buffer.from(text) } })
    world.double.do('DisableSecretVersion', { name: `${ref.key}/versions/5` })
    world.double.do('DestroySecretVersion', { name: `${ref.key}/versions/3` })
    const found = []
    for await (const { id, hasValue } of world.store.history(ref)) found.push([id, hasValue])
    assert.deepEqual(found, [
      ['5', false],
      ['4', true],
      ['3', false],
      ['2', true],
      ['1', true],
    ])
  })
})
