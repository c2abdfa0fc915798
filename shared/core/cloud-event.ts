import { CloudEvent } from 'cloudevents'
import { optional } from './optional.js'
import type { Change, Consumer } from './ports/notifier.js'

/**
 * Makes the CloudEvent 1.0 of a publication, the same for every notifier. It holds ids and times, and no value, digest or length of a value: the
 * consumer reads the value where it always reads it. Its JSON is the structured mode. docs/webhooks.md says what a receiver may rely on.
 */
export const eventOf = ({ id, ref, version, resource, previous, sequence, cause, reason }: Change, { key }: Pick<Consumer, 'key'>) =>
  new CloudEvent({
    id,
    source: 'urn:keyturn',
    type: 'keyturn.secret.published',
    subject: ref.shown,
    time: new Date(sequence).toISOString(),
    datacontenttype: 'application/json',
    sequence: String(sequence),
    data: {
      ref: ref.shown,
      version,
      ...optional('resource', resource),
      previous,
      sequence,
      cause,
      ...optional('reason', reason),
      consumer: key,
    },
  })
