import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager'
import type { PubSubMessage } from '../harness/gcp-secret-manager/messages.js'
import { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'

const start = Date.UTC(2026, 0, 5, 12)
let time = start
let double: GcpSecretManagerDouble
let client: SecretManagerServiceClient
let handed: PubSubMessage[]
const name = 'projects/123456789012/secrets/db'
const topic = 'projects/p/topics/rotations'

before(async () => {
  double = await GcpSecretManagerDouble.open(() => time)
  client = new SecretManagerServiceClient(double.clientOptions)
})
after(async () => {
  await client.close()
  await double.close()
})
beforeEach(() => {
  time = start
  handed = []
  double.reset()
  double.onMessage = (message) => void handed.push(message)
})

const create = (more: object = {}) =>
  client.createSecret({
    parent: 'projects/p',
    secretId: 'db',
    secret: { replication: { automatic: {} }, topics: [{ name: topic }], ...more },
  })
const add = () => client.addSecretVersion({ parent: name, payload: { data: Buffer.from('hunter2') } })
const events = (): readonly string[] => handed.map(({ attributes }) => attributes.eventType ?? '')
const dataOf = ({ data = '' }: PubSubMessage): unknown => JSON.parse(Buffer.from(data, 'base64').toString())

describe('messages', () => {
  it('each change hands one message to each topic, and no read does', async () => {
    await create()
    await add()
    const version = `${name}/versions/1`
    await client.disableSecretVersion({ name: version })
    await client.enableSecretVersion({ name: version })
    await client.accessSecretVersion({ name: version })
    await client.getSecret({ name })
    await client.listSecretVersions({ parent: name })
    await client.updateSecret({ secret: { name, labels: { a: 'b' } }, updateMask: { paths: ['labels'] } })
    await client.destroySecretVersion({ name: version })
    await client.deleteSecret({ name })
    assert.deepEqual(events(), [
      'TOPIC_CONFIGURED',
      'SECRET_CREATE',
      'SECRET_VERSION_ADD',
      'SECRET_VERSION_DISABLE',
      'SECRET_VERSION_ENABLE',
      'SECRET_UPDATE',
      'SECRET_VERSION_DESTROY',
      'SECRET_DELETE',
    ])
    assert.deepEqual(double.messages, handed)
    assert.equal(new Set(handed.map(({ messageId }) => messageId)).size, handed.length)
  })

  it('a refused change hands none, and a change whose answer is lost hands one', async () => {
    await create()
    handed.length = 0
    await assert.rejects(client.deleteSecret({ name, etag: '"0"' }))
    await assert.rejects(client.addSecretVersion({ parent: name, payload: { data: Buffer.from('x'), dataCrc32c: 1 } }))
    assert.deepEqual(events(), [])
    double.fault = () => 'lost'
    await assert.rejects(add())
    assert.deepEqual(events(), ['SECRET_VERSION_ADD'])
  })

  it('names secret and version by the number of the project, carries what the API would answer, and never the payload', async () => {
    await create({ labels: { team: 'a' }, versionDestroyTtl: { seconds: 86_400 } })
    await add()
    const [version] = await client.getSecretVersion({ name: `${name}/versions/1` })
    const message = handed.at(-1)
    assert.ok(message)
    assert.deepEqual(message.attributes, {
      eventType: 'SECRET_VERSION_ADD',
      dataFormat: 'JSON_API_V1',
      secretId: name,
      versionId: `${name}/versions/1`,
      timestamp: '2026-01-05T12:00:00.000Z',
    })
    const iso = '2026-01-05T12:00:00.000Z'
    assert.deepEqual(dataOf(message), {
      name: `${name}/versions/1`,
      etag: version.etag,
      state: 'ENABLED',
      createTime: iso,
      replicationStatus: { automatic: {} },
    })
    const created = handed.find(({ attributes }) => attributes.eventType === 'SECRET_CREATE')
    assert.ok(created)
    assert.equal(created.attributes.versionId, undefined)
    const [secret] = await client.getSecret({ name })
    assert.deepEqual(dataOf(created), {
      name,
      etag: secret.etag,
      createTime: iso,
      replication: { automatic: {} },
      labels: { team: 'a' },
      topics: [{ name: topic }],
      versionDestroyTtl: '86400s',
    })
    for (const { data = '' } of handed) assert.ok(!Buffer.from(data, 'base64').toString().includes('hunter2'))
  })

  it('a new topic gets TOPIC_CONFIGURED with nothing but that word; a topic that was there does not', async () => {
    await create()
    handed.length = 0
    const topics = [{ name: topic }, { name: 'projects/p/topics/other' }]
    await client.updateSecret({ secret: { name, topics }, updateMask: { paths: ['topics'] } })
    const [first, ...rest] = handed
    assert.deepEqual(
      [first?.topic, first?.attributes, first?.data],
      ['projects/p/topics/other', { eventType: 'TOPIC_CONFIGURED' }, undefined],
    )
    assert.deepEqual(
      rest.map((message) => [message.topic, message.attributes.eventType]),
      topics.map((one) => [one.name, 'SECRET_UPDATE']),
    )
  })

  it('a delayed destruction is announced at once, and done by the clock', async () => {
    await create({ versionDestroyTtl: { seconds: 86_400 } })
    await add()
    handed.length = 0
    await client.destroySecretVersion({ name: `${name}/versions/1` })
    double.tick()
    assert.deepEqual(events(), ['SECRET_VERSION_DESTROY_SCHEDULED'])
    time += 86_400_000
    double.tick()
    assert.deepEqual(events(), ['SECRET_VERSION_DESTROY_SCHEDULED', 'SECRET_VERSION_DESTROY'])
  })
})

describe('the rotation schedule', () => {
  const seconds = (ms: number) => ({ seconds: ms / 1000 })
  const hour = 3_600_000
  const rotation = { nextRotationTime: seconds(start + hour), rotationPeriod: seconds(24 * hour) }

  it('sends SECRET_ROTATE once when the time has come, advances by the period, and rotates nothing', async () => {
    await create({ rotation })
    handed.length = 0
    assert.deepEqual(double.tick(), [])
    time += hour
    assert.deepEqual([double.tick(), double.tick()], [[name], []])
    assert.deepEqual(events(), ['SECRET_ROTATE'])
    const [secret] = await client.getSecret({ name })
    assert.deepEqual(secret.rotation?.nextRotationTime?.seconds, String((start + 25 * hour) / 1000))
    assert.equal(secret.rotation?.rotationPeriod, null, 'the period is only for input')
    assert.equal(double.secrets.get(name)?.versions.length, 0)
    time += 72 * hour
    assert.deepEqual([double.tick(), double.tick(), events().length], [[name], [], 2], 'periods that nobody saw are not made up for')
  })

  it('shows the time that has passed or the next one, as the test wants it', async () => {
    for (const shows of ['past', 'next'] as const) {
      double.secrets.clear()
      time = start
      await create({ rotation })
      double.rotateShows = shows
      time += hour
      double.tick()
      const message = handed.at(-1)
      assert.ok(message)
      const nextRotationTime = shows === 'past' ? '2026-01-05T13:00:00.000Z' : '2026-01-06T13:00:00.000Z'
      assert.deepEqual((dataOf(message) as { rotation: unknown }).rotation, { nextRotationTime })
    }
  })

  it('shows the period where the test wants it: the documentation says that it does not', async () => {
    await create({ rotation })
    double.showsPeriod = true
    const [[one], [[listed]]] = await Promise.all([client.getSecret({ name }), client.listSecrets({ parent: 'projects/p' })])
    assert.deepEqual(
      [one, listed].map((secret) => String(secret?.rotation?.rotationPeriod?.seconds)),
      ['86400', '86400'],
    )
  })

  it('and a topic are refused where the service cannot publish to it; any other change is not', async () => {
    await create({ topics: [{ name: topic }] })
    const update = (secret: object, path: string) => client.updateSecret({ secret: { name, ...secret }, updateMask: { paths: [path] } })
    for (const [why, code] of [
      ['missing', 9],
      ['denied', 7],
    ] as const) {
      double.brokenTopics.set(topic, why)
      await assert.rejects(update({ rotation }, 'rotation'), { code })
      await assert.rejects(update({ topics: [{ name: topic }] }, 'topics'), { code })
      await update({ labels: { team: 'a' } }, 'labels')
    }
    assert.equal(double.secrets.get(name)?.rotation, undefined)
  })

  it('needs a topic, five minutes ahead and a period of an hour, and ends in a hundred years', async () => {
    const wrong = [
      { topics: [], rotation },
      { rotation: { rotationPeriod: seconds(24 * hour) } },
      { rotation: { ...rotation, nextRotationTime: seconds(start + 299_000) } },
      { rotation: { ...rotation, rotationPeriod: seconds(hour - 1000) } },
      { rotation: { ...rotation, rotationPeriod: { seconds: 3_153_600_001 } } },
      { rotation: { ...rotation, nextRotationTime: { seconds: start / 1000 + 3_153_600_001 } } },
    ]
    for (const more of wrong) await assert.rejects(create(more), { code: 3 })
    await create({ rotation: { nextRotationTime: seconds(start + 300_000) } })
    time += hour
    assert.deepEqual([double.tick(), double.tick()], [[name], []])
    await client.updateSecret({ secret: { name, labels: {} }, updateMask: { paths: ['labels'] } })
  })
})
