import type { Consumer } from '../../shared/core/ports/notifier.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { NotifierKind } from '../../shared/notifiers/registry.js'
import { AzureMachine } from './azure-machine.js'
import { EventGridDouble } from './event-grid.js'
import { GoogleMachine } from './gcp-machine.js'
import { Lab, rotatorToken } from './kube/lab.js'
import { LedHosts } from './lead-hosts.js'
import { RestDouble } from './rest-double.js'
import { consumer, key, WebhookServer } from './webhook-server.js'

export interface NotifierHarness {
  readonly consumer: Consumer
  /** What must never be in anything that it says. */
  readonly canary?: string
  /** How far a consumer of this kind can ever prove to be. */
  readonly proves: 'nothing' | 'drained'
  /** It looks for itself: what somebody said of it is no evidence. */
  readonly looksItself?: true
  close(): Promise<void>
}

const plain =
  (kind: NotifierKind, proves: NotifierHarness['proves']): (() => Promise<NotifierHarness>) =>
  async () => ({
    proves,
    consumer: { key: 'one', kind, required: false, settings: new SecretText('{}') },
    close: async () => {},
  })

/** One line a registered notifier: a notifier without one does not compile. */
export const notifierHarnesses: Readonly<Record<NotifierKind, () => Promise<NotifierHarness>>> = {
  'event-grid': async () => {
    const machine = await AzureMachine.open()
    const token = 'token-of-the-identity-0123456789'
    machine.identity.token = () => token
    const double = await EventGridDouble.open(machine.identity)
    const host = 'changes.westeurope-1.eventgrid.azure.net'
    double.makeTopic(host)
    const led = await LedHosts.open({ [host]: double.port })
    const settings = new SecretText(JSON.stringify({ topic: `https://${host}/api/events`, receiptKeys: [key] }))
    return {
      consumer: { key: 'one', kind: 'event-grid', required: true, settings },
      proves: 'drained',
      canary: token,
      close: async () => {
        await led.close()
        await double.close()
        await machine.close()
      },
    }
  },
  kubernetes: async () => {
    const lab = await Lab.open('fake')
    const room = await lab.room()
    await room.makeWorkload('Deployment')
    const consumer = room.consumer()
    return {
      consumer,
      proves: 'drained',
      looksItself: true,
      canary: rotatorToken,
      close: async () => {
        await room.close()
        await lab.close()
      },
    }
  },
  log: plain('log', 'nothing'),
  manual: plain('manual', 'drained'),
  pubsub: async () => {
    const topic = 'projects/p/topics/changes'
    const [double, machine] = await Promise.all([RestDouble.open(), GoogleMachine.open()])
    const led = await LedHosts.open({ 'pubsub.googleapis.com': double.port })
    double.answer = ({ path }) =>
      path.endsWith(':publish')
        ? { status: 200, body: { messageIds: ['7'] } }
        : { status: 200, body: { permissions: ['pubsub.topics.publish'] } }
    const settings = new SecretText(JSON.stringify({ topic, receiptKeys: [key] }))
    return {
      consumer: { key: 'one', kind: 'pubsub', required: true, settings },
      proves: 'drained',
      canary: machine.metadata.token,
      close: async () => {
        await led.close()
        await machine.close()
        await double.close()
      },
    }
  },
  webhook: async () => {
    const server = await WebhookServer.open()
    return { consumer: consumer(server.port), proves: 'drained', canary: key.slice(6, 30), close: async () => server.close() }
  },
}
