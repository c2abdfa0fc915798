import { type CloudEventFunction, cloudEvent } from '@google-cloud/functions-framework'
import { answerEvent } from '../../shared/app/event-answer.js'
import { deriveWorkId } from '../../shared/core/ids.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { readEvent } from './event.js'
import { type Given, Instance } from './instance.js'
import { untilOver } from './signals.js'

/** Events of the secrets' topic. What only the next look can carry on ends the event; what the store failed of is thrown, so that it comes again. */
export function createHandler(given?: Given): CloudEventFunction<unknown> {
  const instance = new Instance(given)
  return (event) =>
    untilOver(() =>
      answerEvent(
        () => instance.env,
        async () => {
          const asked = readEvent(event)
          if (asked === undefined) return
          const { deps, queue } = instance.begin()
          const { store, env } = deps
          if (asked.action === 'rotate')
            await rotate(deps, { kind: 'rotate', ref: asked.ref, at: asked.at, reason: 'a notice of the platform' })
          const ref = await store.resolve(asked.ref)
          const cause = asked.action === 'rotate' ? `notice ${asked.at}` : asked.cause
          const work = { id: deriveWorkId(ref, 'announce', cause), ref: ref.shown, action: 'announce' as const, at: env.now() }
          await queue.send(work)
        },
      ),
    )
}

cloudEvent('rotate', createHandler())
