import type { EventGridHandler } from '@azure/functions'
import { carriedEvent } from '../../shared/app/dead-letter.js'
import { answerEvent } from '../../shared/app/event-answer.js'
import { codeOf } from '../../shared/core/errors.js'
import { deriveWorkId } from '../../shared/core/ids.js'
import type { Work } from '../../shared/core/ports/queue.js'
import { azureSettings } from '../../shared/stores/azure-key-vault/environment.js'
import { running } from './ending.js'
import { readEvent, type VaultEvent } from './event.js'
import { Instance } from './instance.js'
import type { Given } from './opened.js'

/** The work that an event asks for, and what tells it from other work. */
type Asks = Omit<Work, 'id' | 'ref'> & { readonly cause: string }

/**
 * A handler of one kind of event. It sends work and does none: who sends events waits thirty seconds. What it throws has the host answer 500, and the
 * event comes again; no way leads to the statuses that end an event (400, 403, 413).
 */
export function readEvents(
  given: Given | undefined,
  says: VaultEvent['says'],
  asks: (event: VaultEvent) => Asks,
): EventGridHandler<unknown> {
  const instance = new Instance(given)
  return (event) =>
    running.until(() =>
      answerEvent(() => instance.env, {
        read: async () => {
          const read = readEvent(event, azureSettings(instance.environment).vaults)
          return read?.says === says ? { event: read, ...instance.begin() } : undefined
        },
        bury: (cause) => instance.bury(cause, carriedEvent(event)),
        send: async ({ event: read, deps, queue }) => {
          const ref = await deps.store.resolve(read.ref).catch((cause: unknown) => {
            if (codeOf(cause) !== 'bad_event' && codeOf(cause) !== 'not_found') throw cause
            deps.env.log('event_ignored', { ref: read.ref, code: codeOf(cause) ?? 'internal' }) // a staging place, or gone by now
          })
          if (ref === undefined) return
          const { cause, ...work } = asks(read)
          await queue.send({ id: deriveWorkId(ref, work.action, cause), ref: ref.shown, ...work })
        },
      }),
    )
}
