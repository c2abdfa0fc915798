import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { CloudEvent, HTTP } from 'cloudevents'
import { parseConfiguration } from '../../shared/app/configuration.js'
import { RotationError } from '../../shared/core/errors.js'
import type { Consumer, ConsumerState, Notifier } from '../../shared/core/ports/notifier.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { signMessage } from '../../shared/core/signature.js'
import { checkCallback, create } from '../../shared/notifiers/event-grid.js'
import { AzureMachine } from '../harness/azure-machine.js'
import { EventGridDouble, type GridTopic, gridResource } from '../harness/event-grid.js'
import { LedHosts } from '../harness/lead-hosts.js'
import { change, context, env, key } from '../harness/webhook-server.js'

const host = 'changes.westeurope-1.eventgrid.azure.net'
const topic = `https://${host}/api/events`
const consumerOf = (more: object = {}): Consumer => ({
  key: 'billing',
  kind: 'event-grid',
  required: false,
  settings: new SecretText(JSON.stringify({ topic, ...more })),
})

describe('notifier event-grid', () => {
  let machine: AzureMachine
  let double: EventGridDouble
  let led: LedHosts
  let there: GridTopic
  let notifier: Notifier
  before(async () => {
    machine = await AzureMachine.open()
    double = await EventGridDouble.open(machine.identity)
    led = await LedHosts.open({ [host]: double.port })
    notifier = create()
  })
  after(async () => {
    await led.close()
    await double.close()
    await machine.close()
  })
  beforeEach(() => {
    machine.identity.reset()
    machine.startAgain()
    double.calls.length = 0
    double.fault = () => undefined
    there = double.makeTopic(host)
  })
  afterEach(() => assert.ok(!inspect(env.lines).includes('msi.')))
  const advance = (consumer = consumerOf(), more: object = {}): Promise<ConsumerState> =>
    notifier.advance(change, consumer, { ...context(), ...more })
  const refused = async (consumer = consumerOf()): Promise<RotationError> => {
    const cause: unknown = await advance(consumer).catch((thrown: unknown) => thrown)
    assert.ok(cause instanceof RotationError, inspect(cause))
    return cause
  }

  it('sends one event in the structured mode, with a token of the identity for Event Grid', async () => {
    assert.deepEqual(await advance(), { phase: 'requested', evidence: 'the topic took it' })
    const [call] = double.calls
    assert.deepEqual(
      [call?.method, call?.host, call?.path, call?.headers['content-type'], call?.status],
      ['POST', host, '/api/events?api-version=2018-01-01', 'application/cloudevents+json; charset=utf-8', 200],
    )
    const event = HTTP.toEvent({ headers: { 'content-type': call?.headers['content-type'] ?? '' }, body: call?.body ?? '' })
    assert.ok(event instanceof CloudEvent)
    assert.deepEqual([event.id, event.type, event.subject], [change.id, 'keyturn.secret.published', change.ref.shown])
    assert.equal((event.data as { version: string }).version, change.version)
    assert.equal(event.sequence, String(change.sequence))
    assert.equal(there.taken[0]?.id, change.id)
    assert.deepEqual(
      machine.identity.calls.map(({ resource }) => resource),
      [gridResource],
    )
  })

  it('sends what the topic took once: a subscriber says by itself how far it is', async () => {
    const at = { version: change.version, at: env.now() }
    assert.equal((await advance(consumerOf(), { receipt: { ...at, phase: 'requested' } })).phase, 'requested')
    assert.equal((await advance(consumerOf(), { receipt: { ...at, phase: 'drained', received: true } })).phase, 'drained')
    assert.equal(double.calls.length, 0)
    assert.equal((await advance(consumerOf(), { receipt: { ...at, phase: 'failed' } })).phase, 'requested')
    assert.equal(double.calls.length, 1)
  })

  it('an answer that is lost is an event twice, with one id: a subscriber drops the second', async () => {
    double.fault = (_, n) => (n === 1 ? 'lost' : undefined)
    assert.equal((await refused()).code, 'unavailable')
    await advance()
    assert.deepEqual(
      there.taken.map(({ id }) => id),
      [change.id, change.id],
    )
  })

  it('what the service refuses says what to do about it, and nothing of its text; it is sent once', async () => {
    const cases = [
      [400, 'bad_config', /CloudEventSchemaV1_0/],
      [401, 'denied', /az role assignment create .*"EventGrid Data Sender".* --name changes .*network rules/],
      [403, 'denied', /EventGrid Data Sender.*network rules/],
      [404, 'bad_config', /consumers\.billing\.topic.*az eventgrid topic show --name changes/],
      [413, 'bad_config', /./],
      [415, 'bad_config', /CloudEventSchemaV1_0/],
      [429, 'throttled', /later/],
      [500, 'unavailable', /later/],
      [503, 'unavailable', /later/],
    ] as const
    for (const [status, code, next] of cases) {
      double.calls.length = 0
      double.fault = () => status
      const cause = await refused()
      assert.equal(cause.code, code, String(status))
      assert.match(cause.next, next)
      assert.ok(cause.message.includes(topic) && cause.message.includes(String(status)), cause.message)
      assert.ok(!inspect(cause).includes('Report') && !inspect(cause).includes('msi.'))
      assert.equal(double.calls.length, 1)
    }
    assert.deepEqual(there.taken, [])
  })

  it('a role that is missing, an address that is refused, another schema and a topic that is gone are told apart', async () => {
    there.maySend = false
    const { code, message, field } = await refused()
    assert.deepEqual([code, field], ['denied', 'consumers.billing.topic'])
    assert.match(message, /^Microsoft\.EventGrid\/events\/send\/action is denied on https:\/\/changes\..* \(401 Unauthorized\)\.$/)
    there = double.makeTopic(host, { refusesAddress: true })
    assert.match((await refused()).message, /\(403 Forbidden\)/)
    there = double.makeTopic(host, { inputSchema: 'EventGridSchema' })
    assert.equal((await refused()).code, 'bad_config')
    double.topics.clear()
    assert.match((await refused()).message, /^There is no topic https:/)
  })

  it('a connection that ends and an answer that does not come are unavailable', async () => {
    double.fault = () => 'cut'
    assert.equal((await refused()).code, 'unavailable')
    const nowhere = await LedHosts.open({ [host]: 1 })
    assert.match((await refused()).message, /^Event Grid could not be asked for https:/)
    await nowhere.close()
    await led.close()
    led = await LedHosts.open({ [host]: double.port })
  })

  it('preflight asks for a token alone: without one it refuses; with one nothing speaks against it, and it says what it could not ask', async () => {
    assert.deepEqual(await notifier.preflight(consumerOf(), context()), {
      verdict: 'ok',
      unproven: `only an event shows whether ${topic} takes one`,
    })
    machine.startAgain('11111111-1111-4111-8111-111111111111') // which is not assigned
    const denied = await notifier.preflight(consumerOf(), context())
    assert.deepEqual([denied.verdict, 'next' in denied && /managed identity/.test(denied.next)], ['refuse', true])
    machine.startAgain()
    assert.equal((await notifier.preflight(consumerOf(), context())).verdict, 'ok', 'what was refused before is over')
    machine.startAgain('11111111-1111-4111-8111-111111111111')
    machine.identity.fault = () => 429
    assert.match(inspect(await notifier.preflight(consumerOf(), context())), /verdict: 'unknown'.*\(status 429\)/s)
    assert.equal(double.calls.length, 0)
  })

  it('a receipt counts by a key of the subscriber', () => {
    const body = JSON.stringify({ type: 'keyturn.receipt', id: change.id, phase: 'drained', ref: change.ref.shown, consumer: 'billing' })
    const headers = { ...signMessage([new SecretText(key)], 'r-1', env.now(), body) }
    assert.ok('signedAt' in checkCallback(consumerOf({ receiptKeys: [key] }), { headers, body }, env.now()))
    assert.ok('why' in checkCallback(consumerOf(), { headers, body }, env.now()))
    assert.ok('why' in checkCallback(consumerOf({ receiptKeys: [key] }), { headers, body: `${body} ` }, env.now()))
  })

  it('settings: what is no endpoint of a topic, a key that signs, and a required consumer without a key', () => {
    const parse = (settings: object) => () =>
      parseConfiguration(new SecretText(JSON.stringify({ consumers: { billing: { kind: 'event-grid', ...settings } } })))
    for (const [wrong, says] of [
      ...[
        'changes',
        topic.replace('https', 'http'),
        'https://127.0.0.1/api/events',
        'https://changes.westeurope-1.eventgrid.azure.net.example/api/events',
        'https://user@changes.westeurope-1.eventgrid.azure.net/api/events',
        'https://changes.westeurope-1.eventgrid.azure.net:8443/api/events',
        'https://space.westeurope-1.eventgrid.azure.net/topics/changes:publish',
        `${topic}?api-version=2018-01-01`,
      ].map((wrong) => [{ topic: wrong }, /must be the endpoint of a topic/] as const),
      [{ topic, receiptKeys: [`whsk_${Buffer.alloc(32, 7).toString('base64')}`] }, /only checks/],
      [{ topic, required: true }, /receiptKeys/],
    ] as const)
      assert.throws(
        parse(wrong),
        (cause: unknown) => cause instanceof RotationError && cause.code === 'bad_config' && says.test(cause.message),
        inspect(wrong),
      )
    assert.ok(parse({ topic, required: true, receiptKeys: [key] })())
  })
})
