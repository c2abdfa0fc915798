import { RotationError } from '../../core/errors.js'
import type { Change, CheckCallback, Consumer, Notifier, NotifierContext, Preflight } from '../../core/ports/notifier.js'
import { SecretText } from '../../core/secret-text.js'
import { checkSigned } from '../../core/signature.js'
import type { TopicSettings } from './settings.js'

/** What differs between the topics of the clouds. */
export interface Topic<S extends TopicSettings> {
  readonly kind: string
  /** bad_config for wrong settings. */
  settingsOf(consumer: Consumer): S
  /** Sends the event once. Resolves to the topic's own name of the message, where it has one. */
  publish(settings: S, change: Change, consumer: Consumer, context: NotifierContext): Promise<string | undefined>
  /** Asks what can be asked without sending anything. A RotationError that it throws is turned into a verdict. */
  probe(settings: S, consumer: Consumer, context: NotifierContext): Promise<Preflight>
}

/** A notifier of a topic. That the topic took the event is all that it proves itself: a subscriber that signs a receipt proves more. */
export const topicNotifier = <S extends TopicSettings>(topic: Topic<S>): Notifier => ({
  kind: topic.kind,
  preflight: async (consumer, context) => {
    const settings = topic.settingsOf(consumer)
    return topic.probe(settings, consumer, context).catch(verdictOf)
  },
  advance: async (change, consumer, context) => {
    const { receipt } = context
    if (receipt?.received && receipt.phase === 'drained')
      return { phase: 'drained', evidence: `receipt of ${new Date(receipt.at).toISOString()}` }
    // A topic keeps what it took, so that nothing is sent twice to find out more: a subscriber says so by itself.
    if (receipt?.phase === 'requested') return { phase: 'requested', evidence: 'the topic took it before' }
    const id = await topic.publish(topic.settingsOf(consumer), change, consumer, context)
    return { phase: 'requested', evidence: id === undefined ? 'the topic took it' : `the topic took it as message ${id}` }
  },
  classify: (cause) => (cause instanceof RotationError ? cause.code : 'internal'),
})

/** Whether a subscriber's receipt may be trusted, by the keys of the consumer. */
export const checkReceipt =
  <S extends TopicSettings>({ settingsOf }: Pick<Topic<S>, 'settingsOf'>): CheckCallback =>
  (consumer, callback, now) =>
    checkSigned(
      settingsOf(consumer).receiptKeys.map((key) => new SecretText(key)),
      callback,
      now,
    )

/** A setting that is wrong or a right that is missing is certain. Everything else may pass. Throws what is no RotationError. */
function verdictOf(cause: unknown): Preflight {
  if (!(cause instanceof RotationError)) throw cause
  const isCertain = cause.code === 'bad_config' || cause.code === 'denied'
  return isCertain ? { verdict: 'refuse', why: cause.message, next: cause.next } : { verdict: 'unknown', why: cause.message }
}
