import assert from 'node:assert/strict'
import type { Deployed } from '../harness/gcp-deployed.js'
import { attemptsMax, eventsFilter, eventsTopic, GcpFleet } from '../harness/gcp-fleet.js'
import { whyNoPubSub } from '../harness/pubsub.js'
import { pushForms } from '../harness/pubsub-forwarder.js'
import { suite } from '../harness/suite.js'

const dayMs = 86_400_000
const hourMs = 3_600_000
const firstKey = 'the-first-key-0123456789abcdef'
const policy = { 'keyturn-rotator': 'random', 'keyturn-form': 'token', 'keyturn-spelling': 'change' }

suite("the functions of Google Cloud, fed by Google's own Pub/Sub", whyNoPubSub(), ({ it, before, after, beforeEach, afterEach }) => {
  let fleet: GcpFleet
  let rotate: Deployed
  let another: Deployed
  let sweep: Deployed
  let work: Deployed
  /** Everything that was ever kept, for a look into the logs. */
  const values = new Set<string>()
  before(async () => {
    fleet = await GcpFleet.open()
    rotate = await fleet.start('rotate')
    another = await fleet.start('rotate')
    sweep = await fleet.start('sweep')
    work = await fleet.start('work')
    fleet.project.workIsAt(work.url)
  })
  after(async () => {
    await fleet.close()
    const said = [rotate, another, sweep, work].map(({ log }) => log).join('\n')
    assert.ok(values.size > 5)
    for (const value of values) assert.ok(!said.includes(value))
  })
  afterEach(() => {
    for (const { versions } of fleet.double.secrets.values())
      for (const { data } of versions) if (data !== undefined) values.add(Buffer.from(data).toString())
  })
  beforeEach(() => {
    fleet.double.reset()
    fleet.project.tasks.tasks.clear()
    fleet.project.tasks.gone.clear()
  })
  const toRotate = () => rotate.url
  const versions = (id: string): number => fleet.secret(id).versions.length
  /** One call of the scheduler, and every task that is due after it. */
  const look = async (): Promise<void> => {
    const looked = await sweep.post({})
    assert.equal(looked.status, 200, looked.text)
    await fleet.project.tasks.dispatch()
  }

  for (const form of pushForms)
    it(`${form}: a notice becomes one new version, and what the rotation publishes itself becomes none`, async () => {
      fleet.addSecret('key', firstKey, policy)
      await fleet.pubsub.settled()
      const forwarder = await fleet.forwarder(form, toRotate, { filter: eventsFilter })
      await fleet.notify('key')
      await forwarder.drain()
      await fleet.pubsub.settled()
      await forwarder.drain()
      const events = fleet.double.messages.map(({ attributes }) => attributes.eventType)
      assert.deepEqual(new Set(events.slice(events.indexOf('SECRET_ROTATE') + 1)), new Set(['SECRET_VERSION_ADD', 'SECRET_UPDATE']))
      assert.deepEqual(
        forwarder.pushed.map(({ status }) => status),
        [204, 204], // the notice, and the version that was added: an update does not pass the filter
      )
      assert.equal(versions('key'), 2)
      await fleet.project.tasks.dispatch()
      assert.deepEqual(
        fleet.project.tasks.deliveries.splice(0).map(({ status }) => status),
        [200, 200],
      )
    })

  it('the same notice ten times at once, at two instances, and once more under a new id: one new version', async () => {
    fleet.addSecret('key', firstKey, policy)
    await fleet.pubsub.settled()
    const urls = [rotate.url, another.url]
    const ten = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        fleet.forwarder('binary', () => urls[n % 2], { filter: 'attributes.eventType = "SECRET_ROTATE"' }),
      ),
    )
    await fleet.notify('key')
    const [notice] = fleet.double.messages.slice(-1)
    assert.ok(notice)
    const first = await Promise.all(ten.map((one) => one.pass()))
    assert.deepEqual(
      first.map((pushed) => pushed.length),
      ten.map(() => 1),
    )
    assert.equal(new Set(first.flat().map(({ messageId }) => messageId)).size, 1)
    await Promise.all(ten.map((one) => one.drain()))
    assert.equal(versions('key'), 2)
    const again = await fleet.pubsub.publish(eventsTopic, notice.attributes, notice.data)
    await ten[0]?.drain()
    assert.deepEqual(ten[0]?.pushed.at(-1), { messageId: again, attempt: undefined, status: 204 })
    assert.equal(versions('key'), 2)
  })

  it('garbage, a topic that was configured and own noise reach no call of the store; garbage ends in the dead letters', async () => {
    fleet.addSecret('key', firstKey, policy)
    await fleet.pubsub.settled()
    const { deadLetterPolicy, ids } = await fleet.deadLetters()
    const forwarder = await fleet.forwarder('binary', toRotate, { deadLetterPolicy })
    const { double, pubsub } = fleet
    double.do('UpdateSecret', { secret: { name: 'projects/p/secrets/key', labels: { a: 'b' } }, updateMask: { paths: ['labels'] } })
    double.do('DisableSecretVersion', { name: 'projects/p/secrets/key/versions/1' })
    double.do('EnableSecretVersion', { name: 'projects/p/secrets/key/versions/1' })
    await pubsub.settled()
    const secretId = 'projects/p/secrets/key'
    await pubsub.publish(eventsTopic, { eventType: 'TOPIC_CONFIGURED' })
    await pubsub.publish(eventsTopic, { eventType: 'SECRET_VERSION_ADD', secretId: `${secretId}--pending` })
    const noise = 5
    const garbage = [
      await pubsub.publish(eventsTopic, {}, Buffer.from(firstKey).toString('base64')),
      await pubsub.publish(eventsTopic, { eventType: 'SECRET_ROTATE', secretId: firstKey }),
      await pubsub.publish(eventsTopic, { eventType: 'SECRET_ROTATE', secretId, timestamp: 'soon' }),
    ]
    await forwarder.drain()
    const of = (isGarbage: boolean) => forwarder.pushed.filter(({ messageId }) => garbage.includes(messageId) === isGarbage)
    assert.deepEqual(
      of(false).map(({ status }) => status),
      Array(noise).fill(204),
    )
    assert.deepEqual(
      of(true).map(({ attempt, status }) => [attempt, status]),
      garbage.map(() => [1, 204]),
    )
    assert.deepEqual([double.calls.length, fleet.project.tasks.tasks.size], [0, 0])
    assert.deepEqual(await ids(), [])
    const letters = await fleet.unreadable()
    assert.deepEqual(letters.map(({ attributes }) => attributes?.id).toSorted(), garbage.toSorted())
    for (const { attributes, data } of letters) {
      assert.deepEqual([attributes?.code, attributes?.from, data], ['bad_event', 'events', undefined])
      assert.ok(!JSON.stringify(attributes).includes(firstKey))
    }
  })

  it('what the store fails of comes again, counted, until the store is back; where it stays away, the notice ends in the dead letters', async () => {
    fleet.addSecret('key', firstKey, policy)
    await fleet.pubsub.settled()
    const { deadLetterPolicy, ids } = await fleet.deadLetters()
    const forwarder = await fleet.forwarder('binary', toRotate, { filter: eventsFilter, deadLetterPolicy })
    const attempts = (from: number) => forwarder.pushed.slice(from).map(({ attempt, status }) => [attempt, status])
    fleet.double.fault = () => 'unavailable'
    await fleet.notify('key')
    await forwarder.drain()
    assert.deepEqual(
      attempts(0),
      Array.from({ length: attemptsMax }, (_, n) => [n + 1, 500]),
    )
    assert.deepEqual(await ids(), [forwarder.pushed[0]?.messageId])
    assert.equal(versions('key'), 1)

    await fleet.notify('key')
    await forwarder.pass()
    fleet.double.fault = () => undefined
    await forwarder.pass()
    assert.deepEqual(attempts(attemptsMax), [
      [1, 500],
      [2, 204],
    ])
    assert.equal(versions('key'), 2)
  })

  it('a notice outside the window ends, and the next look in the window starts what is due', async () => {
    const closed = { ...policy, 'keyturn-every': '30d', 'keyturn-window': windowAround(Date.now() + 12 * hourMs) }
    const secret = fleet.addSecret('key', firstKey, closed, 31 * dayMs)
    await fleet.pubsub.settled()
    const forwarder = await fleet.forwarder('binary', toRotate, { filter: eventsFilter })
    await fleet.notify('key')
    await forwarder.drain()
    assert.deepEqual(
      forwarder.pushed.map(({ status }) => status),
      [204],
    )
    await look()
    assert.equal(versions('key'), 1)
    secret.annotations.set('keyturn-window', windowAround(Date.now()))
    await look()
    assert.equal(versions('key'), 2)
  })

  it('a notice that never comes: the look starts what is due', async () => {
    fleet.addSecret('key', firstKey, { ...policy, 'keyturn-every': '30d' }, 32 * dayMs) // a day for the jitter
    fleet.addSecret('young', firstKey, { ...policy, 'keyturn-every': '30d' }, 29 * dayMs)
    await look()
    assert.deepEqual([versions('key'), versions('young')], [2, 1])
  })
})

/** Two hours each way, in UTC. */
function windowAround(time: number): string {
  const at = (ms: number) => new Date(ms).toISOString().slice(11, 16)
  return `${at(time - 2 * hourMs)}-${at(time + 2 * hourMs)}`
}
