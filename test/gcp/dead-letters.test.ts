import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { DeadLetterTopic, deadLettersFrom } from '../../functions/gcp/dead-letters.js'
import { createHandler as createRotate } from '../../functions/gcp/rotate.js'
import { createHandler as createWork } from '../../functions/gcp/work.js'
import { RotationError } from '../../shared/core/errors.js'
import { FakeEnv } from '../harness/fake-env.js'
import { gcpHarness, openGcp } from '../harness/gcp.js'
import { eventHeaders, messageOf, ServedFunction } from '../harness/gcp-functions.js'
import { GoogleMachine } from '../harness/gcp-machine.js'
import { MemoryQueue } from '../harness/memory-queue.js'
import { RestDouble, refusal } from '../harness/rest-double.js'

const topic = 'projects/p/topics/keyturn-dead-letters'
const canary = 'a-value-"%\\\'-that-nobody-may-see'

let machine: GoogleMachine
let pubsub: RestDouble
let env: FakeEnv
before(async () => {
  machine = await GoogleMachine.open()
})
after(() => machine.close())
beforeEach(async () => {
  env = new FakeEnv()
  pubsub = await RestDouble.open()
})
afterEach(() => pubsub.close())
const letters = (): DeadLetterTopic => new DeadLetterTopic({ env, topic, endpoint: pubsub.endpoint })
const sent = (): unknown[] => pubsub.calls.map(({ body }) => JSON.parse(body).messages)

describe('a dead letter', () => {
  it('is a message without data, whose attributes say what is left of it', async () => {
    env.time = Date.UTC(2026, 0, 6, 1, 2, 3)
    await letters().put({ code: 'bad_event', from: 'queue', bytes: 7, at: env.time, id: 'm-1', field: 'action' })
    assert.deepEqual(
      pubsub.calls.map(({ method, path, authorization }) => [method, path, authorization]),
      [['POST', `/v1/${topic}:publish`, 'Bearer ya29.test']],
    )
    const attributes = { code: 'bad_event', from: 'queue', bytes: '7', at: '2026-01-06T01:02:03.000Z', id: 'm-1', field: 'action' }
    assert.deepEqual(sent(), [[{ attributes }]])
  })

  it('is sent again where no answer came, three times at most', async () => {
    pubsub.answer = (_, n) => (n === 1 ? 'cut' : n === 2 ? refusal(503, 'UNAVAILABLE') : { status: 200, body: {} })
    await letters().put({ code: 'bad_event', from: 'events', bytes: 1, at: 0 })
    assert.equal(pubsub.calls.length, 3)
    pubsub.answer = () => refusal(429, 'RESOURCE_EXHAUSTED')
    await assert.rejects(letters().put({ code: 'bad_event', from: 'events', bytes: 1, at: 0 }), { code: 'throttled' })
    assert.equal(pubsub.calls.length, 7)
  })

  it('that is refused says what to grant, to make or to enable, and nothing that the service said', async () => {
    const cases = [
      [403, 'PERMISSION_DENIED', canary, 'denied', /add-iam-policy-binding keyturn-dead-letters --project p/],
      [404, 'NOT_FOUND', canary, 'bad_config', /gcloud pubsub topics create keyturn-dead-letters --project p/],
      [400, 'INVALID_ARGUMENT', canary, 'bad_config', /KEYTURN_DEAD_LETTERS/],
      [
        403,
        'PERMISSION_DENIED',
        `The API has not been used in project 1 before or it is disabled. ${canary}`,
        'bad_config',
        /services enable pubsub\.googleapis\.com --project 1,/,
      ],
    ] as const
    for (const [status, name, text, code, next] of cases) {
      pubsub.answer = () => refusal(status, name, text)
      const cause: unknown = await letters()
        .put({ code: 'bad_event', from: 'events', bytes: 1, at: 0 })
        .catch((thrown: unknown) => thrown)
      assert.ok(cause instanceof RotationError)
      assert.equal(cause.code, code)
      assert.match(cause.next, next)
      assert.ok(!inspect(cause).includes(canary))
    }
  })

  it('has a topic of its own: another text is refused when the function starts', () => {
    assert.equal(deadLettersFrom({}, env), undefined)
    for (const wrong of ['dead', 'projects/p/topics/goog-x', 'projects/p/topics/', 'projects/p/subscriptions/s', `${topic}/x`])
      assert.throws(() => deadLettersFrom({ KEYTURN_DEAD_LETTERS: wrong }, env), { code: 'bad_config', field: 'KEYTURN_DEAD_LETTERS' })
  })
})

describe('a message that nobody can read', () => {
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let lines: string[]
  let served: ServedFunction[]
  const given = () => ({
    environment: { GOOGLE_CLOUD_PROJECT: 'p' },
    env: { log: (code: string, fields: object) => void lines.push(JSON.stringify({ log: code, ...fields })) },
    openStore: () => openGcp(world.double, world.env),
    openQueue: () => new MemoryQueue(),
    letters: letters(),
  })
  const serve = async (opened: Promise<ServedFunction>): Promise<ServedFunction> => {
    const one = await opened
    served.push(one)
    return one
  }
  beforeEach(async () => {
    lines = []
    served = []
    world = await gcpHarness()
  })
  afterEach(async () => {
    for (const one of served) await one.close()
    await world.close()
  })

  it('of the queue ends there, with its code and its length', async () => {
    const work = await serve(ServedFunction.http(createWork(given())))
    const { status } = await work.post({ id: 'x', ref: canary, action: canary, at: 1 })
    assert.equal(status, 200)
    const [[letter] = []] = sent() as { attributes: Record<string, string> }[][]
    assert.equal(letter?.attributes.code, 'bad_event')
    assert.equal(letter?.attributes.field, 'action')
    assert.ok(!JSON.stringify([sent(), lines]).includes(JSON.stringify(canary).slice(1, -1)))
    assert.equal(world.double.calls.length, 0)
  })

  it('of the topic ends there, too, and is not delivered again', async () => {
    const rotate = await serve(ServedFunction.events(createRotate(given())))
    const attributes = { eventType: 'SECRET_ROTATE', secretId: canary }
    assert.equal((await rotate.post(messageOf(attributes), eventHeaders('e-1'))).status, 204)
    assert.equal((await rotate.post({ hello: canary }, eventHeaders(`e 2 ${encodeURIComponent(canary)}`))).status, 204)
    const ids = (sent() as { attributes: Record<string, string> }[][]).map(([letter]) => [letter?.attributes.from, letter?.attributes.id])
    assert.deepEqual(ids, [
      ['events', 'e-1'],
      ['events', undefined], // an id that may be anything
    ])
    assert.equal(lines.filter((line) => line.includes('"dead_letter"')).length, 2)
    assert.equal(world.double.calls.length, 0)
  })

  it('comes again where the letter cannot be put down', async () => {
    pubsub.answer = () => refusal(403, 'PERMISSION_DENIED')
    const work = await serve(ServedFunction.http(createWork(given())))
    assert.equal((await work.post({ hello: canary })).status, 403)
    const rotate = await serve(ServedFunction.events(createRotate(given())))
    const seen = await rotate.post({ hello: canary }, eventHeaders('e-1'))
    assert.deepEqual([seen.status, seen.text], [500, 'denied'])
  })
})
