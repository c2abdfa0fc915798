import * as v from 'valibot'
import { isBundled } from '../core/bundled.js'
import { RotationError } from '../core/errors.js'
import type { CheckCallback, Notifier } from '../core/ports/notifier.js'
import * as eventGrid from './event-grid/settings.js'
import * as kubernetes from './kubernetes/settings.js'
import * as log from './log.js'
import * as manual from './manual.js'
import * as pubsub from './pubsub/settings.js'
import * as webhook from './webhook/settings.js'

type Settings = v.StrictObjectSchema<v.ObjectEntries, undefined>

/** What the registry uses of an entry file. */
interface NotifierModule {
  create(): Notifier
  /** Whether a message in the name of a consumer may be trusted; present where consumers call back. */
  readonly checkCallback?: CheckCallback
}

interface Row<S extends Settings> {
  /** Loads the entry file when a consumer needs it. What the row itself names is loaded wherever a configuration is read, so it is in a small file. */
  readonly load: () => Promise<NotifierModule>
  /** The form of what the configuration secret has beside `kind` and `required`. The notifier reads the parsed settings with the same form again. */
  readonly settings: S
  /** Why the settings cannot work together; undefined where they can. */
  readonly whyNot?: (settings: v.InferOutput<S>, required: boolean) => string | undefined
  /** Why no consumer of this kind can be required, where that is so. */
  readonly whyNeverRequired?: string
  /** It carries the SDK of this cloud, which no bundle of another one may have. */
  readonly cloud?: 'aws' | 'gcp' | 'azure'
}

/** A row for readers that do not know the settings of any notifier. */
export interface NotifierRow extends Pick<Row<Settings>, 'load' | 'settings' | 'whyNeverRequired' | 'cloud'> {
  /** Why the settings cannot work together; undefined where they can, and for settings that the form refuses anyway. */
  whyNot(settings: object, required: boolean): string | undefined
}

const row = <S extends Settings>({ whyNot, ...rest }: Row<S>): NotifierRow => ({
  ...rest,
  whyNot: (settings, required) => {
    const result = v.safeParse(rest.settings, settings)
    return result.success ? whyNot?.(result.output, required) : undefined
  },
})

/** One row for each notifier. */
export const notifiers = {
  'event-grid': row({
    load: () => import('./event-grid.js'),
    settings: eventGrid.settings,
    whyNot: eventGrid.whyNot,
    cloud: 'azure',
  }),
  kubernetes: row({
    load: () => import('./kubernetes.js'),
    settings: kubernetes.settings,
    whyNot: kubernetes.whyNot,
  }),
  log: row({
    load: () => import('./log.js'),
    settings: log.settings,
    whyNeverRequired: log.whyNeverRequired,
  }),
  manual: row({ load: () => import('./manual.js'), settings: manual.settings }),
  pubsub: row({
    load: () => import('./pubsub.js'),
    settings: pubsub.settings,
    whyNot: pubsub.whyNot,
    cloud: 'gcp',
  }),
  webhook: row({
    load: () => import('./webhook.js'),
    settings: webhook.settings,
    whyNot: webhook.whyNot,
  }),
} satisfies Record<string, NotifierRow>
/** What `kind` of a consumer may be in the configuration secret. */
export type NotifierKind = keyof typeof notifiers
/** All of them, in the order of their rows. */
export const notifierKinds = Object.keys(notifiers) as NotifierKind[]

const rowOf = (kind: NotifierKind): NotifierRow => notifiers[kind]
const isKind = (kind: string): kind is NotifierKind => Object.hasOwn(notifiers, kind)

/** bad_config for a name that nobody registered, and where this bundle is for another cloud. */
async function load(kind: string): Promise<NotifierModule> {
  const found = isKind(kind) ? rowOf(kind) : undefined
  if (found !== undefined && isBundled(found.cloud)) return found.load()
  if (found !== undefined)
    throw new RotationError('bad_config', `This function carries nothing of ${found.cloud}, so it cannot tell consumers of kind ${kind}.`, {
      field: 'consumers',
      next: 'Tell them from a function of that cloud, or run keyturn sweep.',
    })
  throw new RotationError('bad_config', `There is no notifier "${kind}".`, {
    field: 'consumers',
    next: `Use one of ${notifierKinds.join(', ')} in the configuration secret.`,
  })
}

/** bad_config for a name that nobody registered, and for one that this bundle does not hold. */
export const loadNotifier = async (kind: string): Promise<Notifier> => (await load(kind)).create()

/** undefined where consumers of this kind never call back; bad_config as `loadNotifier`. */
export const loadCallbackCheck = async (kind: string): Promise<CheckCallback | undefined> => (await load(kind)).checkCallback
