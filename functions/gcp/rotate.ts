import { type CloudEventFunction, cloudEvent } from '@google-cloud/functions-framework'
import { answerEvent } from '../../shared/app/event-answer.js'
import { deriveWorkId } from '../../shared/core/ids.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { carriedOf, type EventAsks, readEvent } from './event.js'
import { Instance } from './instance.js'
import type { Given } from './opened.js'
import { hideBodies } from './server-log.js'
import { untilOver } from './signals.js'

/** Events of the secrets' topic. What only the next look can carry on ends the event; what the store failed of is thrown, so that it comes again. */
export function createHandler(given?: Given): CloudEventFunction<unknown> {
  hideBodies()
  const instance = new Instance(given)
  const answer = async (event: unknown): Promise<void> => {
    await instance.assertPrivate()
    const asked = readEvent(event)
    if (asked !== undefined) await act(instance, asked)
  }
  return (event) =>
    untilOver(() =>
      answerEvent(
        () => instance.env,
        () => answer(event),
        (cause) => instance.bury(cause, carriedOf(event)),
      ),
    )
}

async function act(instance: Instance, asked: EventAsks): Promise<void> {
  const { deps, queue } = instance.begin()
  const { store, env } = deps
  if (asked.action === 'rotate') await rotate(deps, { kind: 'rotate', ref: asked.ref, at: asked.at, reason: 'a notice of the platform' })
  const ref = await store.resolve(asked.ref)
  const cause = asked.action === 'rotate' ? `notice ${asked.at}` : asked.cause
  await queue.send({ id: deriveWorkId(ref, 'announce', cause), ref: ref.shown, action: 'announce', at: env.now() })
}

cloudEvent('rotate', createHandler())
