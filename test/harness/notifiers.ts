import type { Target } from '../../shared/core/ports/notifier.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { NotifierKind } from '../../shared/notifiers/registry.js'
import { Lab, rotatorToken } from './kube/lab.js'
import { key, target, WebhookServer } from './webhook-server.js'

export interface NotifierHarness {
  readonly target: Target
  /** What must never be in anything that it says. */
  readonly canary?: string
  /** It looks for itself: what somebody said of it is no evidence. */
  readonly looksItself?: true
  close(): Promise<void>
}

const plain =
  (kind: NotifierKind): (() => Promise<NotifierHarness>) =>
  async () => ({
    target: { key: 'one', kind, required: false, settings: new SecretText('{}') },
    close: async () => {},
  })

/** One line a registered notifier: a notifier without one does not compile. */
export const notifierHarnesses: Readonly<Record<NotifierKind, () => Promise<NotifierHarness>>> = {
  kubernetes: async () => {
    const lab = await Lab.open('fake')
    const room = await lab.room()
    await room.makeWorkload('Deployment')
    const target = room.target()
    return {
      target,
      looksItself: true,
      canary: rotatorToken,
      close: async () => {
        await room.close()
        await lab.close()
      },
    }
  },
  log: plain('log'),
  manual: plain('manual'),
  webhook: async () => {
    const server = await WebhookServer.open()
    return { target: target(server.port), canary: key.slice(6, 30), close: async () => server.close() }
  },
}
