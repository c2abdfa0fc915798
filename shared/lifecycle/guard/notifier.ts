import type { Notifier } from '../../core/ports/notifier.js'
import { type Guard, guarded } from './guarded.js'

/** The same notifier behind limits, audit, retry and redaction. A delivery is an effect, a preflight is a look. */
export function guardNotifier(notifier: Notifier, guard: Guard, ref: string): Notifier {
  const call = { ref, classify: (cause: unknown) => notifier.classify(cause) }
  return {
    kind: notifier.kind,
    classify: call.classify,
    preflight: (consumer, context) =>
      guarded(guard, { ...call, name: `${notifier.kind}.preflight`, effect: false }, () => notifier.preflight(consumer, context)),
    advance: (change, consumer, context) =>
      guarded(
        guard,
        {
          ...call,
          name: `${notifier.kind}.advance`,
          effect: true,
          once: true,
          version: change.version,
          deadline: context.deadline,
          reason: `consumer ${consumer.key}`,
        },
        () => notifier.advance(change, consumer, context),
      ),
  }
}
