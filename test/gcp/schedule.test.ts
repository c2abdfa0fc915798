import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { noticeDrift, shownDrift } from '../../shared/core/notices.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { gcpHarness } from '../harness/gcp.js'

const hour = 3_600_000
const day = 24 * hour
const topic = 'projects/p/topics/rotations'
const seconds = (ms: number) => ({ seconds: ms / 1000 })
const monthly = { 'keyturn-every': '30d' }

describe('a schedule of Google Secret Manager', () => {
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let ref: SecretRef
  let publishedAt: number
  beforeEach(async () => {
    world = await gcpHarness('one clock')
    publishedAt = world.env.time
    ref = await world.store.create('db', new SecretText('a value'), { 'keyturn-rotator': 'memory-a' })
    change({ topics: [{ name: topic }] }, 'topics')
    world.env.time += day
  })
  afterEach(() => world.close())

  /** Somebody changes the secret past us. */
  const change = (what: object, ...paths: readonly string[]) =>
    void world.double.do('UpdateSecret', { secret: { name: ref.key, ...what }, updateMask: { paths: [...paths] } })
  const secret = () => world.double.secrets.get(ref.key) ?? assert.fail('the secret is gone')
  const drift = async () => {
    const { native, policy, publishedAt: at } = await world.store.describe(ref)
    const found = noticeDrift(native, policy, { now: world.env.now(), publishedAt: at })
    return found && shownDrift(found)
  }
  const set = (patch: Readonly<Record<string, string | null>>) => world.store.setPolicy(ref, patch)
  const foreign = (everyMs: number) => {
    const nextAt = world.env.time + 2 * day
    change({ rotation: { nextRotationTime: seconds(nextAt), rotationPeriod: seconds(everyMs) } }, 'rotation')
    return { nextAt, periodMs: everyMs }
  }

  it('is written with the policy, in one update by the etag that was read', async () => {
    const { etag } = secret()
    world.double.calls.length = 0
    await set(monthly)
    const updates = world.double.calls.filter(({ writes }) => writes)
    assert.equal(updates.length, 1)
    const [{ request } = assert.fail('nothing was written')] = updates
    const { secret: sent, updateMask } = request as { secret: { etag: string }; updateMask: { paths: readonly string[] } }
    assert.deepEqual([sent.etag, updateMask.paths], [etag, ['annotations', 'rotation']])
    assert.deepEqual(secret().rotation, { nextAt: publishedAt + 30 * day, periodMs: 30 * day })
    assert.equal(secret().annotations.get('keyturn-every'), '30d')
  })

  it('is not written by who lost the race: conflict, and the policy is as it was', async () => {
    world.double.fault = ({ name, staging }) => {
      if (name === 'UpdateSecret' && !staging) secret().etag = '"changed"'
      return undefined
    }
    await assert.rejects(set(monthly), (cause) => world.store.classify(cause) === 'conflict')
    assert.deepEqual([secret().rotation, secret().annotations.get('keyturn-every')], [undefined, undefined])
  })

  it('begins as soon as the service takes it where a rotation is due already', async () => {
    world.env.time = publishedAt + 40 * day
    await set(monthly)
    assert.deepEqual(secret().rotation, { nextAt: publishedAt + 40 * day + 600_000, periodMs: 30 * day })
  })

  it('counts from the version that the alias names where consumers read by it', async () => {
    change({ versionAliases: { current: 1 } }, 'version_aliases')
    await set({ 'keyturn-aliases': 'only' })
    world.double.do('AddSecretVersion', { parent: ref.key, payload: { data: Buffer.from('of somebody else') } })
    await set(monthly)
    assert.equal(secret().rotation?.nextAt, publishedAt + 30 * day)
    await set({ ...monthly, 'keyturn-aliases': null })
    assert.equal(secret().rotation?.nextAt, publishedAt + 31 * day)
  })

  it('is not there without a topic, and the policy is written all the same', async () => {
    change({ topics: [] }, 'topics')
    await set(monthly)
    assert.deepEqual([secret().rotation, secret().annotations.has('keyturn_notice')], [undefined, false])
    const state = await world.store.describe(ref)
    assert.deepEqual([state.native, state.policy['keyturn-every'], await drift()], [undefined, '30d', undefined])
  })

  it('goes with the topics, and so does what says that it was ours', async () => {
    await set(monthly)
    change({ topics: [] }, 'topics', 'rotation')
    await set({ 'keyturn-owner': 'me' })
    assert.deepEqual([secret().rotation, secret().annotations.has('keyturn_notice')], [undefined, false])
  })

  it('whose write was carried out without an answer is the same after the next attempt', async () => {
    for (const fault of ['lost', 'cut'] as const) {
      world.double.fault = ({ name, staging }) => (name === 'UpdateSecret' && !staging ? fault : undefined)
      await assert.rejects(set(monthly), (cause) => world.store.classify(cause) === 'unavailable')
      world.double.fault = () => undefined
      await set(monthly)
      assert.deepEqual(secret().rotation, { nextAt: publishedAt + 30 * day, periodMs: 30 * day })
    }
  })

  it('shorter than an hour is left to the sweep: ours goes, and there is no drift', async () => {
    await set(monthly)
    await set({ 'keyturn-every': '59m', 'keyturn-grace': '30m' })
    assert.deepEqual([secret().rotation, await drift()], [undefined, undefined])
    await set({ 'keyturn-every': '60m' })
    assert.equal(secret().rotation?.periodMs, hour)
  })

  for (const showsPeriod of [true, false]) {
    describe(showsPeriod ? 'where answers have the period' : 'where answers have no period', () => {
      beforeEach(() => {
        world.double.showsPeriod = showsPeriod
      })
      const unseen = 'drift cannot be seen: the platform does not show how often it notifies, and keyturn-every is 30d'
      const calm = showsPeriod ? undefined : unseen

      it('agrees after it was written, and after the service moved it on', async () => {
        await set(monthly)
        assert.equal(await drift(), calm)
        world.env.time = publishedAt + 30 * day
        assert.deepEqual(world.double.tick(), [ref.key])
        assert.equal(await drift(), calm)
      })

      it('of which somebody changes the period drifts, and the next change of the policy writes it again', async () => {
        await set(monthly)
        const changed = { rotationPeriod: seconds(7 * day), nextRotationTime: seconds(publishedAt + 7 * day) }
        change({ rotation: changed }, 'rotation')
        assert.match((await drift()) ?? '', showsPeriod ? /^drift: the platform notifies every 7d/ : /^drift: somebody has moved/)
        await set({ 'keyturn-owner': 'me' })
        assert.deepEqual([secret().rotation?.periodMs, await drift()], [30 * day, calm])
      })

      it('drifts from a policy that somebody changed past us', async () => {
        await set(monthly)
        change({ annotations: { ...Object.fromEntries(secret().annotations), 'keyturn-every': '60d' } }, 'annotations')
        assert.match((await drift()) ?? '', /^drift: .* every 30d, and keyturn-every is 60d$/)
      })

      it('that somebody takes away drifts, and is written again', async () => {
        await set(monthly)
        change({}, 'rotation')
        assert.equal(await drift(), 'drift: the platform has no notice planned, and keyturn-every is 30d')
        await set(monthly)
        assert.deepEqual([secret().rotation?.periodMs, await drift()], [30 * day, calm])
      })

      it('of somebody else stays while the policy has none, and is drift', async () => {
        const theirs = foreign(7 * day)
        await set({ 'keyturn-owner': 'me' })
        assert.deepEqual(secret().rotation, theirs)
        assert.match((await drift()) ?? '', /and the policy has no keyturn-every$/)
        await world.store.release(ref)
        assert.deepEqual(secret().rotation, theirs)
      })

      it('goes with keyturn-every only if it is ours', async () => {
        await set(monthly)
        await set({ 'keyturn-every': null })
        assert.deepEqual([secret().rotation, secret().annotations.has('keyturn_notice')], [undefined, false])
        await set(monthly)
        const theirs = foreign(7 * day)
        await set({ 'keyturn-every': null })
        assert.deepEqual([secret().rotation, secret().annotations.has('keyturn_notice')], [theirs, false])
      })

      it('is seen in a listing as in a description', async () => {
        await set(monthly)
        for await (const one of world.store.list({ managed: true })) assert.deepEqual(one.native, (await world.store.describe(ref)).native)
        assert.equal((await world.store.describe(ref)).native?.everyMs, showsPeriod ? 30 * day : undefined)
      })
    })
  }

  it('of somebody else that agrees with the policy stays theirs, byte for byte', async () => {
    world.double.showsPeriod = true
    const theirs = foreign(30 * day)
    await set(monthly)
    assert.deepEqual([secret().rotation, secret().annotations.has('keyturn_notice')], [theirs, false])
    await world.store.release(ref)
    assert.deepEqual(secret().rotation, theirs)
  })

  it('of which somebody changed only the period is theirs, where the service shows it', async () => {
    world.double.showsPeriod = true
    await set(monthly)
    const nextAt = secret().rotation?.nextAt ?? assert.fail()
    change({ rotation: { nextRotationTime: seconds(nextAt), rotationPeriod: seconds(7 * day) } }, 'rotation')
    await world.store.release(ref)
    assert.deepEqual(secret().rotation, { nextAt, periodMs: 7 * day })
  })

  it('whose mark somebody edited is nobody of ours: it stays', async () => {
    await set(monthly)
    const before = secret().rotation
    for (const text of ['soon', '2592000s never', `${'9'.repeat(12)}s 2026-02-04T12:00:00.000Z`]) {
      change({ annotations: { ...Object.fromEntries(secret().annotations), keyturn_notice: text } }, 'annotations')
      await set({ 'keyturn-every': null })
      assert.deepEqual([secret().rotation, secret().annotations.has('keyturn_notice')], [before, false])
    }
  })

  describe('and a topic that the service cannot use', () => {
    const agent = 'service-123456789012@gcp-sa-secretmanager.iam.gserviceaccount.com'
    for (const [why, code] of [
      ['missing', 'bad_config'],
      ['denied', 'denied'],
    ] as const) {
      it(`(${why}) is ${code} with the command that helps, and nothing is changed`, async () => {
        world.double.brokenTopics.set(topic, why)
        const before = structuredClone(secret())
        const said = await set(monthly).then(
          () => assert.fail('it was written'),
          (cause: unknown) => cause as { code: string; field: string; message: string; next: string },
        )
        assert.deepEqual([said.code, said.field], [code, 'keyturn-every'])
        assert.match(said.message, /cannot notify of gcp:projects\/p\/secrets\/db by the topic projects\/p\/topics\/rotations/)
        const binding = `gcloud pubsub topics add-iam-policy-binding ${topic} --member=serviceAccount:${agent} --role=roles/pubsub.publisher`
        assert.ok(said.next.includes(binding), said.next)
        assert.deepEqual(secret(), before)
        await set({ 'keyturn-owner': 'me' })
      })
    }

    it('is not blamed for a lost race or a missing permission of a secret that is called topic', async () => {
      const other = await world.store.create('topic', new SecretText('a value'), {})
      const topics = { name: other.key, topics: [{ name: topic }] }
      world.double.do('UpdateSecret', { secret: topics, updateMask: { paths: ['topics'] } })
      world.double.deny.add('secretmanager.secrets.update')
      await assert.rejects(world.store.setPolicy(other, monthly), (cause: Error) => /secrets\.update is denied on gcp:/.test(cause.message))
      world.double.deny.clear()
      world.double.fault = ({ name, staging }) => {
        const one = world.double.secrets.get(other.key)
        if (name === 'UpdateSecret' && !staging && one !== undefined) one.etag = '"changed"'
        return undefined
      }
      await assert.rejects(world.store.setPolicy(other, monthly), (cause) => world.store.classify(cause) === 'conflict')
    })
  })
})
