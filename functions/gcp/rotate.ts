import { type CloudEventFunction, cloudEvent } from '@google-cloud/functions-framework'
import { carriedEvent } from '../../shared/app/dead-letter.js'
import { answerEvent } from '../../shared/app/event-answer.js'
import { deriveWorkId } from '../../shared/core/ids.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { readEvent } from './event.js'
import { Instance } from './instance.js'
import type { Given } from './opened.js'
import { hideBodies } from './server-log.js'
import { untilOver } from './signals.js'

/** Events of the secrets' topic: a notice rotates, and what was published is announced by way of the queue. */
export function createHandler(given?: Given): CloudEventFunction<unknown> {
  hideBodies()
  const instance = new Instance(given)
  return (event) =>
    untilOver(() =>
      answerEvent(() => instance.env, {
        read: async () => {
          await instance.assertMayRun()
          const asked = readEvent(event)
          return asked && { ...asked, ...instance.begin() }
        },
        bury: (cause) => instance.bury(cause, carriedEvent(event)),
        rotate: async (asked) => {
          if (asked.action !== 'rotate') return
          await rotate(asked.deps, { kind: 'rotate', ref: asked.ref, at: asked.at, since: true, reason: 'a notice of the platform' })
        },
        send: async ({ deps, queue, ...asked }) => {
          const ref = await deps.store.resolve(asked.ref)
          const cause = asked.action === 'rotate' ? `notice ${asked.at}` : asked.cause
          await queue.send({ id: deriveWorkId(ref, 'announce', cause), ref: ref.shown, action: 'announce', at: deps.env.now() })
        },
      }),
    )
}

cloudEvent('rotate', createHandler())
