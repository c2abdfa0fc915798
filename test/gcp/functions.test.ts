import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { createHandler as createInvoke } from '../../functions/gcp/invoke.js'
import { createHandler as createRotate } from '../../functions/gcp/rotate.js'
import { createHandler as createSweep } from '../../functions/gcp/sweep.js'
import { createHandler as createWork } from '../../functions/gcp/work.js'
import { RotationError } from '../../shared/core/errors.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { gcpHarness, openGcp } from '../harness/gcp.js'
import { eventHeaders, messageOf, type Seen, ServedFunction } from '../harness/gcp-functions.js'
import { MemoryQueue } from '../harness/memory-queue.js'

const dayMs = 86_400_000
const firstPassword = 'first-password-0123456789'

describe('the functions of Google Cloud', () => {
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let queue: MemoryQueue
  let ref: SecretRef
  let target: MemoryTarget
  let lines: string[]
  let ending: AbortController
  const served: Partial<Record<'rotate' | 'sweep' | 'work' | 'invoke', ServedFunction>> = {}
  const said: string[] = []
  let count = 0

  const given = () => ({
    environment: { GOOGLE_CLOUD_PROJECT: 'p', KEYTURN_SHORT_GRACE: '1' },
    env: {
      ...world.env,
      cancelled: ending.signal,
      now: world.env.now,
      sleep: world.env.sleep,
      random: world.env.random,
      log: (code: string, fields: object) => void lines.push(JSON.stringify({ log: code, ...fields })),
    },
    openStore: () => openGcp(world.double, world.env),
    openQueue: () => queue,
  })
  beforeEach(async () => {
    lines = []
    ending = new AbortController()
    queue = new MemoryQueue()
    world = await gcpHarness('one clock')
    target = new MemoryTarget()
    const at = `functions-${++count}`
    setMemoryTarget(at, target)
    target.accounts.set('app', firstPassword)
    const value = { engine: 'memory-a', target: at, username: 'app', password: firstPassword }
    ref = await world.store.create('db', new SecretText(JSON.stringify(value)), {})
    const deps = {
      store: world.store,
      loadRotator,
      loadNotifier,
      infer: () => ({}),
      configuration: async () => noConfiguration,
      journal: true,
      readAdmin: async () => assert.fail('no administrator'),
      env: world.env,
      audit: { write: async () => {} },
      holder: 'a person',
      leaseMs: 60_000,
      shortGrace: true,
    }
    await adopt(deps, world.store, ref.shown, { 'keyturn-rotator': 'memory-a', 'keyturn-every': '30d', 'keyturn-grace': '1m' })
    served.rotate = await ServedFunction.events(createRotate(given()))
    served.sweep = await ServedFunction.http(createSweep(given()))
    served.work = await ServedFunction.http(createWork(given()))
    served.invoke = await ServedFunction.http(createInvoke(given()))
    world.env.time += dayMs
    world.double.calls.length = 0
  })
  afterEach(async () => {
    for (const one of Object.values(served)) await one.close()
    await world.close()
  })
  before(() => process.setMaxListeners(50))
  after(() => assert.ok(!said.join('\n').includes(firstPassword)))

  const on = (name: keyof typeof served): ServedFunction => served[name] ?? assert.fail(`no ${name}`)
  const keep = (seen: Seen): Seen => {
    said.push(JSON.stringify([...seen.headers]), seen.text, ...lines)
    return seen
  }
  const notice = (time: number, id = '1') => {
    const attributes = { eventType: 'SECRET_ROTATE', dataFormat: 'JSON_API_V1', secretId: ref.key, timestamp: new Date(time).toISOString() }
    return on('rotate').post(messageOf(attributes, id), eventHeaders(id)).then(keep)
  }
  const event = async (attributes: Readonly<Record<string, string>>) =>
    keep(await on('rotate').post(messageOf(attributes), eventHeaders('x')))
  const versions = () => world.double.secrets.get(ref.key)?.versions.length
  const currentText = async () => (await world.store.readCurrent(ref.shown)).value.reveal()
  const deliver = async (): Promise<number> => {
    let done = 0
    for (const work of queue.take(world.env.time)) {
      keep(await on('work').post(work))
      done++
    }
    return done
  }

  it('a notice asks for one rotation, however often it comes, and under whatever id', async () => {
    const at = world.env.time
    const seen = await Promise.all(Array.from({ length: 10 }, (_, n) => notice(at, `m${n}`)))
    assert.ok(seen.every(({ status }) => status === 204 || status === 500))
    await notice(at, 'again')
    assert.equal(versions(), 2)
    assert.ok(queue.sent.some(({ work }) => work.action === 'announce'))
  })

  it('takes structured events and raw pushes, too', async () => {
    const attributes = { eventType: 'SECRET_ROTATE', secretId: ref.key, timestamp: new Date(world.env.time).toISOString() }
    const structured = {
      specversion: '1.0',
      id: '1',
      type: 'google.cloud.pubsub.topic.v1.messagePublished',
      source: '//x',
      data: messageOf(attributes),
    }
    const first = await on('rotate').post(structured, { 'content-type': 'application/cloudevents+json' })
    assert.deepEqual([first.status, versions()], [204, 2])
    world.env.time += dayMs
    const later = { ...attributes, timestamp: new Date(world.env.time).toISOString() }
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(messageOf(later)) }
    const second = await on('rotate').send('/projects/p/topics/t', init)
    assert.deepEqual([second.status, versions()], [204, 3])
  })

  it('a version that somebody added is announced by way of the queue', async () => {
    await event({ eventType: 'SECRET_VERSION_ADD', secretId: ref.key, versionId: `${ref.key}/versions/2` })
    assert.deepEqual(
      queue.sent.map(({ work }) => [work.action, work.ref]),
      [['announce', `gcp:${ref.key}`]],
    )
  })

  it('what it makes itself, and what asks for nothing, reaches no call of the store', async () => {
    const types = ['SECRET_UPDATE', 'SECRET_VERSION_DISABLE', 'SECRET_CREATE', 'TOPIC_CONFIGURED', 'SOMETHING_NEW']
    for (const eventType of types) assert.equal((await event({ eventType, secretId: ref.key })).status, 204)
    await event({ eventType: 'TOPIC_CONFIGURED' })
    await event({ eventType: 'SECRET_VERSION_ADD', secretId: `${ref.key}--pending` })
    assert.deepEqual([world.double.calls.length, queue.sent.length], [0, 0])
  })

  it('garbage reaches no call of the store, ends, and is logged by its code alone', async () => {
    const garbage = [
      await on('rotate').post({ hello: firstPassword }, {}),
      await on('rotate').post(messageOf({ eventType: 'SECRET_ROTATE', secretId: firstPassword }), eventHeaders('1')),
      await on('rotate').post(messageOf({ eventType: 'SECRET_ROTATE', secretId: ref.key, timestamp: 'soon' }), eventHeaders('1')),
      await on('rotate').post({ message: firstPassword }, eventHeaders('1')),
    ].map(keep)
    assert.deepEqual(
      garbage.map(({ status, text }) => [status, text]),
      garbage.map(() => [204, '']),
    )
    assert.equal(lines.filter((line) => line.includes('"log":"dead_letter","code":"bad_event"')).length, garbage.length)
    assert.equal(world.double.calls.length, 0)
  })

  it('a hold ends the notice, and the next look in the window carries it on', async () => {
    await world.store.setPolicy(ref, { 'keyturn-window': '02:00-05:00' })
    const midnight = world.env.time - (world.env.time % dayMs)
    world.env.time = midnight + 31 * dayMs + 12 * 3_600_000
    assert.equal((await notice(world.env.time)).status, 204)
    assert.equal(versions(), 1)
    world.env.time += 15 * 3_600_000
    assert.equal(JSON.parse(keep(await on('sweep').post('')).text).sent > 0, true)
    await deliver()
    assert.equal(versions(), 2)
  })

  it('what the store fails of is thrown as its code, so that it comes again', async () => {
    world.double.fault = () => 'unavailable'
    const seen = await notice(world.env.time)
    assert.deepEqual([seen.status, seen.text, seen.headers.get('x-google-status')], [500, 'unavailable', 'error'])
    assert.equal(versions(), 1)
  })

  it('what a process that is asked to end leaves undone comes again, whether it was a notice or work', async () => {
    world.double.fault = () => void ending.abort() // at its first call, before anything is claimed
    const seen = await notice(world.env.time)
    const work = { id: 'a', ref: ref.shown, action: 'check', at: world.env.time }
    assert.deepEqual([seen.status, seen.text, (await on('work').post(work)).status], [500, 'held', 503])
    assert.equal(versions(), 1)
  })

  it('a look, the queue and work carry a secret from its due date to the retired credential', async () => {
    world.env.time += 31 * dayMs
    for (let pass = 0; pass < 6; pass++) {
      assert.equal(keep(await on('sweep').post('')).status, 200)
      await deliver()
      world.env.time += 2 * 60_000
    }
    const { journal } = await world.store.describe(ref)
    assert.deepEqual([versions(), journal?.announced, journal?.retiring], [2, '2', []])
    assert.equal(target.accounts.get('app'), JSON.parse(await currentText()).password)
  })

  it('refuses to run where everybody may call it', async () => {
    for (const name of ['sweep', 'work', 'invoke'] as const) {
      const seen = keep(await on(name).post({ action: 'rotate', ref: ref.shown }, {}))
      assert.equal(seen.status, 403)
      assert.match(seen.text, /roles\/run\.invoker/)
      assert.equal((await on(name).send('/', { method: 'GET' })).status, 405)
    }
    assert.equal(world.double.calls.length, 0)
  })

  it('a message that nobody can read ends, with its code and without a word of it', async () => {
    for (const body of ['', 'no JSON', JSON.stringify({ id: 'x', ref: firstPassword, action: 'steal', at: 1 }), 'x'.repeat(10_000)])
      assert.equal(keep(await on('work').post(body)).status, body === 'no JSON' || body.startsWith('xxx') ? 400 : 200)
    assert.ok(lines.some((line) => line.includes('"dead_letter"')))
    assert.equal(world.double.calls.length, 0)
  })

  it('work is delivered again for the store, and for nothing else', async () => {
    const work = { id: 'a', ref: ref.shown, action: 'check', at: world.env.time }
    target.accounts.set('app', 'another')
    assert.deepEqual(JSON.parse(keep(await on('work').post(work)).text), { ends: 'over', code: 'target_auth' })
    world.double.fault = () => 'unavailable'
    assert.equal(keep(await on('work').post(work)).status, 503)
  })

  it('an event whose work the queue does not take comes again', async () => {
    queue.fault = () => new RotationError('denied', 'no', { next: 'Grant it.' })
    const added = { eventType: 'SECRET_VERSION_ADD', secretId: ref.key, versionId: `${ref.key}/versions/1` }
    const seen = await event(added)
    assert.deepEqual([seen.status, seen.text], [500, 'denied'])
  })

  it('a notice that can be read is no dead letter, whatever the rotation says of it', async () => {
    await world.store.setPolicy(ref, { 'keyturn-admin': 'file:admin' })
    assert.equal((await notice(world.env.time)).status, 204)
    assert.ok(!lines.some((line) => line.includes('"dead_letter"')))
  })

  it('invoke does what its deployment is for, and nothing else', async () => {
    const environment = { ...given().environment, KEYTURN_ACTIONS: 'receipt' }
    const invoke = await ServedFunction.http(createInvoke({ ...given(), environment }))
    for (const asked of [
      { action: 'rotate', ref: ref.shown, emergency: true, reason: 'mine' },
      { action: 'seen', ref: ref.shown, consumer: 'another' },
      { action: 'status', ref: ref.shown },
    ]) {
      const seen = keep(await invoke.post(asked))
      assert.deepEqual([seen.status, JSON.parse(seen.text).code], [403, 'denied'])
    }
    assert.equal(world.double.calls.length, 0)
    assert.equal(JSON.parse(keep(await invoke.post({ action: 'receipt', body: '{}', headers: {} })).text).status, 400)
    await invoke.close()
  })

  it('invoke needs no queue, and who sends says that it is missing', async () => {
    const { openQueue: _, ...rest } = given()
    const [invoke, sweep] = await Promise.all([ServedFunction.http(createInvoke(rest)), ServedFunction.http(createSweep(rest))])
    assert.equal(keep(await invoke.post({ action: 'status', ref: ref.shown })).status, 200)
    const seen = keep(await sweep.post(''))
    assert.deepEqual([seen.status, JSON.parse(seen.text).code, JSON.parse(seen.text).field], [500, 'bad_config', 'KEYTURN_QUEUE'])
    await Promise.all([invoke.close(), sweep.close()])
  })

  it('invoke rotates, verifies, retires, and says the status; its answer holds no value', async () => {
    const ask = async (body: object) => {
      const seen = keep(await on('invoke').post(body))
      return { status: seen.status, body: JSON.parse(seen.text) as Record<string, unknown> }
    }
    assert.deepEqual(await ask({ action: 'rotate', ref: 'gcp:db' }), {
      status: 200,
      body: { ref: ref.shown, outcome: 'published', version: '2', previous: '1', announcement: 'announced' },
    })
    assert.match(String((await ask({ action: 'verify', ref: ref.shown })).body.says), /logs in|accepted|session/)
    assert.equal((await ask({ action: 'status', ref: ref.shown })).body.version, '2')
    assert.equal((await ask({ action: 'retire', ref: ref.shown })).status, 200)
    const wrong = await ask({ action: 'seen', ref: ref.shown, consumer: 'nobody' })
    assert.deepEqual([wrong.status, wrong.body.code], [400, 'bad_event'])
    assert.equal((await ask({ action: 'rotate', ref: 'gcp:nothing' })).status, 404)
    assert.deepEqual((await ask({ action: 'rotate', ref: ref.shown, emergency: true })).body.field, 'reason')
    assert.deepEqual((await ask({ action: 'explode', ref: ref.shown })).status, 400)
    const { password } = JSON.parse(await currentText()) as { password: string }
    assert.ok(![...said, ...lines].join('\n').includes(password))
  })
})
