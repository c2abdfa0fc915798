import { CloudEvent } from 'cloudevents'
import { optional } from './optional.js'
import type { Change, Consumer } from './ports/notifier.js'

/**
 * A publication as a CloudEvent 1.0, the same through whatever notifier it goes. Thin: ids and times, and no value, digest or length of one; whoever
 * is told reads the value where it always read it. Its JSON is the structured mode; docs/webhooks.md says what a receiver may rely on.
 */
export const eventOf = ({ id, ref, version, previous, sequence, cause, reason }: Change, { key }: Pick<Consumer, 'key'>) =>
  new CloudEvent({
    id,
    source: 'urn:keyturn',
    type: 'keyturn.secret.published',
    subject: ref.shown,
    time: new Date(sequence).toISOString(),
    datacontenttype: 'application/json',
    sequence: String(sequence),
    data: { ref: ref.shown, version, previous, sequence, cause, ...optional('reason', reason), consumer: key },
  })
