import { RotationError } from '../core/errors.js'
import type { Notifier } from '../core/ports/notifier.js'

/** One line a notifier; loaded only when a target asks for it. */
export const notifiers = {
  kubernetes: () => import('./kubernetes.js').then(({ create }) => create()),
  log: () => import('./log.js').then(({ create }) => create()),
  manual: () => import('./manual.js').then(({ create }) => create()),
  webhook: () => import('./webhook.js').then(({ create }) => create()),
} satisfies Record<string, () => Promise<Notifier>>
export type NotifierKind = keyof typeof notifiers
export const notifierKinds = Object.keys(notifiers) as NotifierKind[]

const isKind = (kind: string): kind is NotifierKind => Object.hasOwn(notifiers, kind)

/** bad_config for a name that nobody registered. */
export async function loadNotifier(kind: string): Promise<Notifier> {
  if (isKind(kind)) return notifiers[kind]()
  throw new RotationError('bad_config', `There is no notifier "${kind}".`, {
    field: 'targets',
    next: `Use one of ${notifierKinds.join(', ')} in the configuration secret.`,
  })
}
