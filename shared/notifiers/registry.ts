import * as v from 'valibot'
import { RotationError } from '../core/errors.js'
import type { CheckCallback, Notifier } from '../core/ports/notifier.js'
import * as kubernetes from './kubernetes/settings.js'
import * as log from './log.js'
import * as manual from './manual.js'
import * as webhook from './webhook/settings.js'

type Settings = v.StrictObjectSchema<v.ObjectEntries, undefined>

/** An entry file, as far as the registry asks it. */
interface NotifierModule {
  create(): Notifier
  /** Where consumers call back: whether a message in the name of a consumer may be trusted. */
  readonly checkCallback?: CheckCallback
}

interface Row<S extends Settings> {
  /** The entry file, when a consumer asks for it. What the row itself names is loaded wherever a configuration is read, so it is a small file. */
  readonly load: () => Promise<NotifierModule>
  /** What stands in the configuration secret beside `kind` and `required`. The notifier reads what came out of it with the same form again. */
  readonly settings: S
  /** Why what is set cannot work together: undefined where it can. */
  readonly whyNot?: (settings: v.InferOutput<S>, required: boolean) => string | undefined
  /** Why no consumer of this kind can be required, where that is so. */
  readonly whyNeverRequired?: string
}

/** A row as its readers see it, who know the settings of no notifier. */
export interface NotifierRow extends Pick<Row<Settings>, 'load' | 'settings' | 'whyNeverRequired'> {
  /** Why what is set cannot work together: undefined where it can, and for what the form refuses anyway. */
  whyNot(settings: object, required: boolean): string | undefined
}

const row = <S extends Settings>({ whyNot, ...rest }: Row<S>): NotifierRow => ({
  ...rest,
  whyNot: (settings, required) => {
    const result = v.safeParse(rest.settings, settings)
    return result.success ? whyNot?.(result.output, required) : undefined
  },
})

/** One row a notifier. */
export const notifiers = {
  kubernetes: row({ load: () => import('./kubernetes.js'), settings: kubernetes.settings, whyNot: kubernetes.whyNot }),
  log: row({ load: () => import('./log.js'), settings: log.settings, whyNeverRequired: log.whyNeverRequired }),
  manual: row({ load: () => import('./manual.js'), settings: manual.settings }),
  webhook: row({ load: () => import('./webhook.js'), settings: webhook.settings, whyNot: webhook.whyNot }),
} satisfies Record<string, NotifierRow>
/** What `kind` of a consumer may be in the configuration secret. */
export type NotifierKind = keyof typeof notifiers
export const notifierKinds = Object.keys(notifiers) as NotifierKind[]

const isKind = (kind: string): kind is NotifierKind => Object.hasOwn(notifiers, kind)

/** bad_config for a name that nobody registered. */
function load(kind: string): Promise<NotifierModule> {
  if (isKind(kind)) return notifiers[kind].load()
  throw new RotationError('bad_config', `There is no notifier "${kind}".`, {
    field: 'consumers',
    next: `Use one of ${notifierKinds.join(', ')} in the configuration secret.`,
  })
}

/** bad_config for a name that nobody registered. */
export const loadNotifier = async (kind: string): Promise<Notifier> => (await load(kind)).create()

/** undefined where consumers of this kind never call back; bad_config for a name that nobody registered. */
export const loadCallbackCheck = async (kind: string): Promise<CheckCallback | undefined> => (await load(kind)).checkCallback
