import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { Env } from '../core/ports/env.js'
import type { SecretRef, Step } from '../core/ports/words.js'
import { splitRef } from '../core/refs.js'
import type { SecretText } from '../core/secret-text.js'
import { createGuard, createRedactor, guardAdmin } from '../lifecycle/guard/index.js'
import type { Deps } from '../lifecycle/secret/deps.js'
import { loadNotifier } from '../notifiers/registry.js'
import { loadRotator } from '../rotators/registry.js'
import { isOpenable, type OpenedStore, stores } from '../stores/registry.js'
import { adminReader } from './admin.js'
import { auditSink } from './audit-file.js'
import type { Config } from './config.js'
import { ConfigurationSource, withoutConfiguration } from './configuration.js'
import { inferPolicy } from './infer.js'
import { masterKey } from './master-key.js'
import { placeOpener } from './places.js'

/** Everything wired once: the one place, beside a function's handler, that names implementations. */
export interface App {
  readonly config: Config
  readonly env: Env
  /** For a person: guarded as a rotation is, so that what it changes is recorded and what fails is explained. */
  admin(refText: string): Promise<OpenedStore>
  deps(refText: string): Promise<Deps>
}

const leaseMs = 15 * 60_000

export function openApp(config: Config, env: Env, onStep?: (step: Step) => void): App {
  const opened = new Map<string, Promise<OpenedStore>>()
  const holder = `cli-${process.pid}-${Buffer.from(env.random(4)).toString('hex')}`
  const audit = auditSink(config.audit, env)
  const guard = createGuard({ env, audit, redactor: createRedactor(), holder })
  const store = (refText: string): Promise<OpenedStore> => {
    const kind = splitRef(refText, 'file').store
    if (!isOpenable(kind) || kind === 'memory') {
      // What is put into memory would be gone with this process.
      const others = Object.keys(stores).filter((each) => each !== 'memory')
      throw new RotationError('bad_event', `There is no store "${kind}" here.`, { field: 'ref', next: `Use one of ${others.join(', ')}.` })
    }
    const there = opened.get(kind) ?? stores[kind]({ env, home: config.home, key: () => masterKey(config), aws: config.aws })
    opened.set(kind, there)
    return there
  }
  const configuration = config.configuration
    ? new ConfigurationSource((stage) => readConfigurationSecret(store, config.configuration ?? '', stage), env)
    : { get: withoutConfiguration }
  const deps: App['deps'] = async (refText) => ({
    store: await store(refText),
    loadRotator,
    infer: inferPolicy,
    readAdmin: adminReader(
      (text) => readAdmin(store, text),
      async ({ shown, ...ref }) => (await (await store(shown)).tags?.({ ...ref, shown })) ?? {},
    ),
    env,
    configuration: () => configuration.get(),
    loadNotifier,
    openPlace: placeOpener(deps),
    journal: config.journal,
    audit,
    holder,
    leaseMs,
    shortGrace: config.shortGrace,
    ...(await startNativeOf(store, refText)),
    ...optional('onStep', onStep),
  })
  return { config, env, admin: async (refText) => guardAdmin(await store(refText), guard), deps }
}

type OpenStore = (refText: string) => Promise<OpenedStore>

async function startNativeOf(store: OpenStore, refText: string): Promise<Pick<Deps, 'startNative'>> {
  const opened = await store(refText)
  return opened.startNative === undefined
    ? {}
    : { startNative: (ref) => opened.startNative?.(ref) ?? Promise.reject(new Error('no engine')) }
}

async function readAdmin(store: OpenStore, text: string): Promise<{ value: SecretText; ref: SecretRef }> {
  const from = await store(text)
  const ref = await from.resolve(text)
  const { current } = await from.describe(ref)
  if (current !== undefined) return { value: await from.read(ref, current.id), ref }
  throw new RotationError('not_found', `The administrator's secret ${ref.shown} has no value.`, {
    field: 'keyturn-admin',
    next: `Put one with keyturn put ${ref.shown}.`,
  })
}

async function readConfigurationSecret(store: OpenStore, text: string, stage: 'current' | 'previous'): Promise<SecretText | undefined> {
  const from = await store(text)
  const ref = await from.resolve(text)
  const version = (await from.describe(ref))[stage]
  return version === undefined ? undefined : from.read(ref, version.id)
}
