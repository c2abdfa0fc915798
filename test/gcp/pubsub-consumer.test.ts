import assert from 'node:assert/strict'
import type { Consumer } from '../../shared/core/ports/notifier.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { create } from '../../shared/notifiers/pubsub.js'
import { GoogleMachine } from '../harness/gcp-machine.js'
import { LedHosts } from '../harness/lead-hosts.js'
import { PubSub, whyNoPubSub } from '../harness/pubsub.js'
import { suite } from '../harness/suite.js'
import { change, context } from '../harness/webhook-server.js'

const topic = 'projects/p/topics/changes'
const subscription = 'projects/p/subscriptions/changes'

suite("the consumer pubsub, on Google's own Pub/Sub", whyNoPubSub(), ({ it, before, after }) => {
  let pubsub: PubSub
  let machine: GoogleMachine
  let led: LedHosts
  before(async () => {
    pubsub = await PubSub.open()
    machine = await GoogleMachine.open()
    led = await LedHosts.open({ 'pubsub.googleapis.com': pubsub.port })
    await pubsub.createTopic(topic)
    await pubsub.createSubscription(subscription, { topic, filter: `attributes.ce-subject = "${change.ref.shown}"` })
  })
  after(async () => {
    await led?.close()
    await machine?.close()
    await pubsub?.close()
  })
  const consumerOf = (name: string): Consumer => ({
    key: 'billing',
    kind: 'pubsub',
    required: false,
    settings: new SecretText(JSON.stringify({ topic: name })),
  })

  it('a subscriber gets the event once, by a filter on its attributes', async () => {
    const { phase, evidence } = await create().advance(change, consumerOf(topic), context())
    assert.equal(phase, 'requested')
    const other = { ...change, ref: { ...change.ref, shown: 'memory:other' } }
    await create().advance(other, consumerOf(topic), context())
    const received = await pubsub.pull(subscription)
    assert.equal(received.length, 1)
    const [{ message } = assert.fail()] = received
    assert.equal(message.attributes?.['ce-id'], change.id)
    assert.match(evidence, /^the topic took it/)
    assert.equal((JSON.parse(Buffer.from(message.data ?? '', 'base64').toString()) as { version: string }).version, change.version)
  })

  it('a topic that is not there is bad_config, and says how to make it', async () => {
    await assert.rejects(create().advance(change, consumerOf('projects/p/topics/nowhere'), context()), {
      code: 'bad_config',
      next: /gcloud pubsub topics create nowhere --project p/,
    })
  })
})
