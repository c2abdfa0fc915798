import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { DeployedFinding } from '../core/ports/deployed.js'
import type { Deployment, DeploymentWish } from '../core/ports/deployment.js'
import type { Env } from '../core/ports/env.js'
import type { Permissions, PermissionsWish } from '../core/ports/permissions.js'
import type { RotationStarter, StepService } from '../core/ports/service.js'
import type { CurrentValue, SecretStore, SecretStoreAdmin } from '../core/ports/store.js'
import type { Policy, SecretRef, Step } from '../core/ports/words.js'
import { splitRef, storeKind } from '../core/refs.js'
import type { SecretText } from '../core/secret-text.js'
import { createGuard, createRedactor, type Guard, guardAdmin, guardStore } from '../lifecycle/guard/index.js'
import type { Deps } from '../lifecycle/secret/deps.js'
import { loadNotifier } from '../notifiers/registry.js'
import { loadRotator } from '../rotators/registry.js'
import { type OpenedStore, storeRow } from '../stores/registry.js'
import { adminReader } from './admin.js'
import { auditSink, type WriteText } from './audit-file.js'
import type { Config } from './config.js'
import { ConfigurationSource, withoutConfiguration } from './configuration.js'
import { checkWished, moreOf } from './deployed-policy.js'
import { inferPolicy } from './infer.js'
import { masterKey } from './master-key.js'
import { namedIn } from './named-in.js'
import { placeOpener } from './places.js'

export { storeKinds } from '../stores/registry.js'

/** Everything wired once: the one place, beside a function's handler, that names implementations. */
export interface App {
  readonly config: Config
  readonly env: Env
  /** For a person: guarded like a rotation, so that changes are recorded and failures are explained. */
  admin(refText: string): Promise<SecretStore & SecretStoreAdmin>
  deps(refText: string): Promise<Deps>
  /** Whether a store of this kind, or the configuration that goes with it, is a folder of this machine. bad_event for a store that does not exist. */
  isLocal(kind: string): boolean
  /** What a platform that drives rotations itself offers: it calls one step at a time, and can be asked to start. */
  service(refText: string): Promise<{ readonly steps?: StepService; readonly starter?: RotationStarter }>
  /** What the platform of the secret has to grant. Nothing is opened and nobody is asked. bad_event where its store has nothing to grant. */
  permissions(wish: PermissionsWish): Promise<Permissions>
  /** What deploys our functions for secrets of a store of this kind. bad_event where its platform has no such thing. */
  deployment(kind: string, wish: Omit<DeploymentWish, 'moreFor'>): Promise<Deployment>
  /** Who may call the functions that the environment names, where the platform of a store of this kind runs functions. bad_event. */
  deployed(kind: string): AsyncIterable<DeployedFinding>
}

const leaseMs = 15 * 60_000
/** The store of a ref that names none. */
const defaultStore = storeKind('file')

/** Callbacks to the caller: `onStep` hears of each step that is done, `writeError` gets what the audit log writes to stderr. */
export interface AppOptions {
  readonly onStep?: (step: Step) => void
  readonly writeError?: WriteText
}

/** Wires the app and opens no store: each is opened when a ref first names it, and kept. */
export function openApp(config: Config, env: Env, { onStep, writeError }: AppOptions = {}): App {
  const opened = new Map<string, Promise<OpenedStore>>()
  const holder = `cli-${process.pid}-${Buffer.from(env.random(4)).toString('hex')}`
  const audit = auditSink(config.audit, env, writeError)
  const guard = createGuard({ env, audit, redactor: createRedactor(), holder })
  const store = (refText: string): Promise<OpenedStore> => {
    const kind = splitRef(refText, defaultStore).store
    const { home, environment } = config
    const there = opened.get(kind) ?? storeRow(kind).open({ env, environment, home, key: () => masterKey(config) })
    opened.set(kind, there)
    return there
  }
  const configuration = configurationOf(config, env, guardedStores(store, { env, audit, holder }))
  const deps: App['deps'] = async (refText) => ({
    store: await store(refText),
    loadRotator,
    infer: inferPolicy,
    readAdmin: adminReader(
      (text) => readAdmin(store, text),
      (ref) => tagsOf(store, ref),
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
    ...optional('onStep', onStep),
  })
  return {
    config,
    env,
    admin: async (refText) => guardAdmin(await store(refText), guard),
    deps,
    isLocal: (kind) => isLocal(kind, config),
    service: async (refText) => serviceOf(await store(refText)),
    permissions: (wish) => permissionsOf(wish, config),
    deployment: async (kind, wish) => deploymentOf(await store(`${kind}:any`), kind, wish, config),
    deployed: (kind) => deployedOf(kind, config, env),
  }
}

async function* deployedOf(kind: string, { environment }: Config, env: Env): AsyncIterable<DeployedFinding> {
  const inspect = await storeRow(storeKind(kind)).deployed?.load()
  if (inspect !== undefined) yield* inspect(environment, env)
}

async function deploymentOf(
  opened: OpenedStore,
  kind: string,
  wish: Omit<DeploymentWish, 'moreFor'>,
  { configuration, shortGrace }: Config,
): Promise<Deployment> {
  if (opened.prepareDeployment === undefined)
    throw new RotationError('bad_event', `Nothing is deployed for the store "${kind}".`, {
      field: 'ref',
      next: 'Name secrets of another store.',
    })
  await checkWished(wish.policy, { keys: opened.traits.policy ?? [], shortGrace })
  return opened.prepareDeployment({ ...optional('configuration', configuration), ...wish, moreFor: moreOf })
}

async function permissionsOf(wish: PermissionsWish, { environment, configuration }: Config): Promise<Permissions> {
  const { store } = splitRef(wish.refText, defaultStore)
  const { permissions } = storeRow(store)
  if ('load' in permissions) return (await permissions.load())({ ...optional('configuration', configuration), ...wish }, environment)
  throw new RotationError('bad_event', `The store "${store}" prints no permissions.`, { field: 'ref', next: permissions.instead })
}

function isLocal(kind: string, { configuration }: Config): boolean {
  const named = configuration === undefined ? [] : [splitRef(configuration, defaultStore).store]
  return [storeKind(kind), ...named].some((one) => storeRow(one).local === true)
}

function configurationOf({ configuration: name }: Config, env: Env, store: OpenGuarded): Pick<ConfigurationSource, 'get'> {
  if (!name) return { get: withoutConfiguration }
  return new ConfigurationSource((stage) => readConfigurationSecret(store, name, stage), env)
}

function serviceOf(opened: OpenedStore): Awaited<ReturnType<App['service']>> {
  const { stepState, startNative } = opened
  return {
    ...optional('steps', stepState && { stepState: stepState.bind(opened) }),
    ...optional('starter', startNative && { startNative: startNative.bind(opened) }),
  }
}

type OpenStore = (refText: string) => Promise<OpenedStore>
type OpenGuarded = (refText: string) => Promise<SecretStore>

const readAdmin = (store: OpenStore, text: string): Promise<CurrentValue> =>
  namedIn({ what: "The administrator's secret", field: 'keyturn-admin' }, async () => (await store(text)).readCurrent(text))

async function tagsOf(store: OpenStore, ref: SecretRef): Promise<Policy> {
  const from = await store(ref.shown)
  return (await from.tags?.(ref)) ?? {}
}

/** The same stores, guarded: a failure is explained, and tried again. The redactor is their own, since most of a configuration is not secret. */
const guardedStores =
  (store: OpenStore, parts: Pick<Guard, 'env' | 'audit' | 'holder'>) =>
  async (refText: string): Promise<SecretStore> =>
    guardStore(await store(refText), createGuard({ ...parts, redactor: createRedactor() }))

const readConfigurationSecret = (store: OpenGuarded, text: string, stage: 'current' | 'previous'): Promise<SecretText | undefined> =>
  namedIn({ what: 'The configuration secret', field: 'KEYTURN_CONFIG' }, async () => {
    const from = await store(text)
    const ref = await from.resolve(text)
    const version = (await from.describe(ref))[stage]
    return version && from.read(ref, version.id)
  })
