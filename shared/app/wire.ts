import { RotationError } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import type { SecretRef, Step } from '../core/ports/words.js'
import { splitRef } from '../core/refs.js'
import type { SecretText } from '../core/secret-text.js'
import { jsonFields, looksLikeJson } from '../core/shapes/json.js'
import type { Deps } from '../lifecycle/deps.js'
import { loadNotifier } from '../notifiers/registry.js'
import { loadRotator, rotatorKinds } from '../rotators/registry.js'
import { isOpenable, type OpenedStore, stores } from '../stores/registry.js'
import { auditSink } from './audit-file.js'
import type { Config } from './config.js'
import { ConfigurationSource, withoutConfiguration } from './configuration.js'
import { masterKey } from './master-key.js'

/** Everything wired once: the one place, beside a function's handler, that names implementations. */
export interface App {
  readonly config: Config
  readonly env: Env
  store(refText: string): Promise<OpenedStore>
  deps(refText: string): Promise<Deps>
}

const leaseMs = 15 * 60_000

export function openApp(config: Config, env: Env, onStep?: (step: Step) => void): App {
  const opened = new Map<string, Promise<OpenedStore>>()
  const holder = `cli-${process.pid}-${Buffer.from(env.random(4)).toString('hex')}`
  const audit = auditSink(config.audit, env)
  const store = (refText: string): Promise<OpenedStore> => {
    const kind = splitRef(refText, 'file').store
    if (!isOpenable(kind) || kind === 'memory') {
      // What is put into memory would be gone with this process.
      const others = Object.keys(stores).filter((each) => each !== 'memory')
      throw new RotationError('bad_event', `There is no store "${kind}" here.`, { field: 'ref', next: `Use one of ${others.join(', ')}.` })
    }
    const there = opened.get(kind) ?? stores[kind]({ env, home: config.home, key: () => masterKey(config) })
    opened.set(kind, there)
    return there
  }
  const configuration = config.configuration
    ? new ConfigurationSource(() => readConfigurationSecret(store, config.configuration ?? ''), env)
    : { get: withoutConfiguration }
  const deps = async (refText: string): Promise<Deps> => ({
    store: await store(refText),
    loadRotator,
    inferRotator,
    readAdmin: (text) => readAdmin(store, text),
    env,
    configuration: () => configuration.get(),
    loadNotifier,
    journal: config.journal,
    audit,
    holder,
    leaseMs,
    shortGrace: config.shortGrace,
    ...(onStep ? { onStep } : {}),
  })
  return { config, env, store, deps }
}

async function readAdmin(store: App['store'], text: string): Promise<{ value: SecretText; ref: SecretRef }> {
  const from = await store(text)
  const ref = await from.resolve(text)
  const { current } = await from.describe(ref)
  if (current !== undefined) return { value: await from.read(ref, current.id), ref }
  throw new RotationError('not_found', `The administrator's secret ${ref.shown} has no value.`, {
    field: 'keyturn-admin',
    next: `Put one with keyturn put ${ref.shown}.`,
  })
}

async function readConfigurationSecret(store: App['store'], text: string): Promise<SecretText> {
  const from = await store(text)
  const ref = await from.resolve(text)
  const { current } = await from.describe(ref)
  if (current !== undefined) return from.read(ref, current.id)
  throw new RotationError('bad_config', `The configuration secret ${ref.shown} has no value.`, {
    field: 'KEYTURN_CONFIG',
    next: `Put one with keyturn put ${ref.shown}.`,
  })
}

/** A value that names its engine, as those of the AWS templates do, or a URL whose scheme does. */
function inferRotator(value: SecretText): string | undefined {
  const text = value.reveal().trim()
  const scheme = /^(?:jdbc:)?([a-z]+):\/\//i.exec(text)?.[1]
  const engine = looksLikeJson(text) ? jsonFields(text).find(({ name }) => name === 'engine')?.value : scheme
  const kind = typeof engine === 'string' ? engine.toLowerCase().replace(/^(postgresql|aurora-postgresql)$/, 'postgres') : undefined
  return rotatorKinds.find((known) => known === kind)
}
