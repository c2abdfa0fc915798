import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { CloudEvent, HTTP } from 'cloudevents'
import { parseConfiguration } from '../../shared/app/configuration.js'
import { RotationError } from '../../shared/core/errors.js'
import type { Consumer, ConsumerState, Notifier } from '../../shared/core/ports/notifier.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { signMessage } from '../../shared/core/signature.js'
import { checkCallback, create } from '../../shared/notifiers/pubsub.js'
import { GoogleMachine } from '../harness/gcp-machine.js'
import { LedHosts } from '../harness/lead-hosts.js'
import { RestDouble, refusal } from '../harness/rest-double.js'
import { change, context, env, key } from '../harness/webhook-server.js'

const topic = 'projects/p/topics/changes'
const canary = 'what-the-service-says-and-nobody-repeats'
const consumerOf = (more: object = {}): Consumer => ({
  key: 'billing',
  kind: 'pubsub',
  required: false,
  settings: new SecretText(JSON.stringify({ topic, ...more })),
})
interface Sent {
  readonly attributes: Readonly<Record<string, string>>
  readonly data: string
  readonly orderingKey: string
}

describe('notifier pubsub', () => {
  let machine: GoogleMachine
  let double: RestDouble
  let led: LedHosts
  let notifier: Notifier
  before(async () => {
    machine = await GoogleMachine.open()
    double = await RestDouble.open()
    led = await LedHosts.open({ 'pubsub.googleapis.com': double.port, 'europe-west1-pubsub.googleapis.com': double.port })
    notifier = create()
  })
  after(async () => {
    await led.close()
    await double.close()
    await machine.close()
  })
  beforeEach(() => {
    double.calls.length = 0
    double.answer = () => ({ status: 200, body: { messageIds: ['1234567890'] } })
  })
  afterEach(() => assert.ok(!inspect(env.lines).includes(canary)))
  const advance = (consumer = consumerOf(), more: object = {}): Promise<ConsumerState> =>
    notifier.advance(change, consumer, { ...context(), ...more })
  const sent = (): readonly Sent[] => double.calls.flatMap(({ body }) => (JSON.parse(body) as { messages: Sent[] }).messages)

  it('sends the event in the binary mode of the protocol binding, with the secret as its ordering key', async () => {
    const state = await advance()
    assert.deepEqual(state, { phase: 'requested', evidence: 'the topic took it as message 1234567890' })
    const [message] = sent()
    assert.deepEqual(Object.keys(message?.attributes ?? {}).sort(), [
      'ce-id',
      'ce-sequence',
      'ce-source',
      'ce-specversion',
      'ce-subject',
      'ce-time',
      'ce-type',
      'content-type',
    ])
    assert.equal(message?.orderingKey, change.ref.shown)
    const body = Buffer.from(message?.data ?? '', 'base64').toString()
    const event = HTTP.toEvent({ headers: message?.attributes ?? {}, body })
    assert.ok(event instanceof CloudEvent)
    assert.deepEqual([event.id, event.type, event.subject], [change.id, 'keyturn.secret.published', change.ref.shown])
    assert.deepEqual(event.data, JSON.parse(body))
    assert.equal((JSON.parse(body) as { version: string }).version, change.version)
    const [call] = double.calls
    assert.deepEqual([call?.path, call?.authorization], [`/v1/${topic}:publish`, `Bearer ${machine.metadata.token}`])
  })

  it('sends what the topic took once: a subscriber says by itself how far it is', async () => {
    const requested = { version: change.version, phase: 'requested', at: env.now() } as const
    assert.equal((await advance(consumerOf(), { receipt: requested })).phase, 'requested')
    assert.equal(double.calls.length, 0)
    const failed = { version: change.version, phase: 'failed', at: env.now() } as const
    assert.equal((await advance(consumerOf(), { receipt: failed })).phase, 'requested')
    assert.equal(double.calls.length, 1)
  })

  it('by the endpoint of the region that is named', async () => {
    await advance(consumerOf({ location: 'europe-west1' }))
    assert.equal(double.calls.length, 1)
  })

  it('what the service refuses says what to do about it, and nothing of its text; it is sent once', async () => {
    const cases = [
      [403, 'PERMISSION_DENIED', 'denied', /add-iam-policy-binding changes --project p/],
      [404, 'NOT_FOUND', 'bad_config', /gcloud pubsub topics create changes --project p/],
      [429, 'RESOURCE_EXHAUSTED', 'throttled', /later/],
      [503, 'UNAVAILABLE', 'unavailable', /later/],
    ] as const
    for (const [status, name, code, next] of cases) {
      double.calls.length = 0
      double.answer = () => refusal(status, name, canary)
      const cause: unknown = await advance().catch((thrown: unknown) => thrown)
      assert.ok(cause instanceof RotationError)
      assert.equal(cause.code, code)
      assert.match(cause.next, next)
      assert.ok(!inspect(cause).includes(canary))
      assert.equal(double.calls.length, 1)
    }
  })

  it('preflight asks whether it may publish, and sends nothing', async () => {
    double.answer = () => ({ status: 200, body: { permissions: ['pubsub.topics.publish'] } })
    assert.deepEqual(await notifier.preflight(consumerOf(), context()), { verdict: 'ok' })
    double.answer = () => ({ status: 200, body: {} })
    const refused = await notifier.preflight(consumerOf(), context())
    assert.deepEqual([refused.verdict, 'next' in refused && /roles\/pubsub\.publisher/.test(refused.next)], ['refuse', true])
    double.answer = () => refusal(404, 'NOT_FOUND')
    assert.equal((await notifier.preflight(consumerOf(), context())).verdict, 'refuse')
    for (const answer of ['cut', refusal(501, 'UNIMPLEMENTED')] as const) {
      double.answer = () => answer
      assert.equal((await notifier.preflight(consumerOf(), context())).verdict, 'unknown')
    }
    assert.ok(double.calls.every(({ path }) => path.endsWith(':testIamPermissions')))
  })

  it('a receipt counts by a key of the subscriber', () => {
    const body = JSON.stringify({ type: 'keyturn.receipt', id: change.id, phase: 'drained', ref: change.ref.shown, consumer: 'billing' })
    const headers = { ...signMessage([new SecretText(key)], 'r-1', env.now(), body) }
    assert.ok('signedAt' in checkCallback(consumerOf({ receiptKeys: [key] }), { headers, body }, env.now()))
    assert.ok('why' in checkCallback(consumerOf(), { headers, body }, env.now()))
    assert.ok('why' in checkCallback(consumerOf({ receiptKeys: [key] }), { headers, body: `${body} ` }, env.now()))
  })

  it('settings: a name that is no topic, a key that signs, and a required consumer without a key', () => {
    const parse = (settings: object) => () =>
      parseConfiguration(new SecretText(JSON.stringify({ consumers: { billing: { kind: 'pubsub', ...settings } } })))
    for (const [wrong, says] of [
      [{ topic: 'changes' }, /projects\/PROJECT\/topics\/TOPIC/],
      [{ topic, location: 'Europe' }, /region/],
      [{ topic, receiptKeys: [`whsk_${Buffer.alloc(32, 7).toString('base64')}`] }, /only checks/],
      [{ topic, required: true }, /receiptKeys/],
    ] as const)
      assert.throws(
        parse(wrong),
        (cause: unknown) => cause instanceof RotationError && cause.code === 'bad_config' && says.test(cause.message),
      )
    assert.ok(parse({ topic, required: true, receiptKeys: [key] })())
  })
})
