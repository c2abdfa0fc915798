import { codeOf, RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import { parsePolicy, prefix, type Settings } from '../../core/policy/index.js'
import type { Consumer } from '../../core/ports/notifier.js'
import type { AnyRotator, CredentialType } from '../../core/ports/rotator.js'
import type { SecretStore, SecretView, VersionInfo } from '../../core/ports/store.js'
import type { Policy, SecretRef } from '../../core/ports/words.js'
import { createGuard, createRedactor, type Guard, guardRotator, guardStore } from '../guard/index.js'
import { scheduled, typeOf } from './defaults.js'
import { type Companion, type Configuration, type Deps, noConfiguration } from './deps.js'
import { composeParts, unknownPartError } from './parts/compose.js'
import { partsKind } from './parts/policy.js'
import { chosenParts, type PartSchedule, partSchedules, type Wanted } from './parts/schedule.js'

/** One invocation's tools, all behind the guard. */
export interface Tools {
  readonly deps: Deps
  readonly guard: Guard
  readonly store: SecretStore
}

/** Makes a new guard and a guarded store. What the guard's redactor learns is forgotten with them. */
export function createTools(deps: Deps): Tools {
  const guard = createGuard({ env: deps.env, audit: deps.audit, redactor: createRedactor(), holder: deps.holder })
  guard.redactor.learn(deps.sensitive)
  return { deps, guard, store: guardStore(deps.store, guard) }
}

/** A secret's policy, resolved: its rotator (absent where nothing names or implies one), its settings and its consumers. */
export interface Setup {
  readonly settings: Settings
  readonly policy: Policy
  readonly rotator?: AnyRotator
  /** Present where parts have schedules of their own. */
  readonly schedules?: readonly PartSchedule[]
  /** The consumers that the policy names, from the configuration. Companions come first, and are told like consumers. */
  readonly consumers: readonly Consumer[]
  readonly companions: readonly Companion[]
  /** Named by the policy, and missing in the configuration. */
  readonly unknownConsumers: readonly string[]
  readonly configuration: Configuration
}

/** A setup whose rotator is known. */
export type Known = Setup & { readonly rotator: AnyRotator }
type Named = Pick<Setup, 'consumers' | 'companions' | 'unknownConsumers'>

/** The kind of a companion as a consumer: it is told about each publication, the gate asks it, and the sweep repairs it. */
export const companionKind = 'companion'
function consumersOf({ consumers, companions }: Configuration, settings: Settings): Named {
  const { consumers: names, companions: others } = settings
  const named = others.flatMap((name) => companions[name] ?? [])
  const unknown = names.filter((name) => !consumers[name])
  const unknownOthers = others.filter((name) => !companions[name])
  return {
    consumers: [...named.map(asConsumer), ...names.flatMap((name) => consumers[name] ?? [])],
    companions: named,
    unknownConsumers: [...unknown, ...unknownOthers],
  }
}

const asConsumer = ({ name, at, settings }: Companion): Consumer => ({
  key: name,
  kind: companionKind,
  required: true,
  place: at,
  settings,
})

/**
 * bad_config for a name that the configuration secret does not have: an announcement that reaches nobody must not look like one that did. It is
 * asked where something is told, gated or begun. It is not asked on a way back, or where something is finished.
 */
export function assertConsumers({ unknownConsumers, configuration, settings }: Setup): void {
  if (unknownConsumers.length === 0) return
  const { companions, consumers } = configuration
  const known = [...Object.keys(companions), ...Object.keys(consumers)].join(', ') || 'none'
  const areCompanions = unknownConsumers.every((name) => settings.companions.includes(name))
  const key = `${prefix}${areCompanions ? 'companions' : 'consumers'}`
  const why = `${key} names ${unknownConsumers.join(', ')}, which the configuration secret does not have.`
  throw new RotationError('bad_config', why, {
    field: key,
    next: `Add it to the configuration secret (KEYTURN_CONFIG), or set ${key}=none. Known: ${known}.`,
  })
}

/**
 * Reads the setup of a secret. The secret's own keys come first, then the function's environment, then what the value implies, then defaults by
 * type. The value is read only where nothing names a rotator. bad_policy.
 */
export async function readSetup(
  tools: Tools,
  state: SecretView,
  ways: 'forward' | 'back' = 'forward',
  wanted: Wanted = { kind: 'rotate', at: 0 },
  versions?: (ref: SecretRef) => AsyncIterable<VersionInfo>,
): Promise<Setup> {
  const { shortGrace, env } = tools.deps
  const loadRotator = (name: string) => tools.deps.loadRotator(name)
  const said = await policyOf(tools, state, versions)
  const kind = kindOf(said)
  const configuration = await configurationFor(tools, ways)
  if (kind === undefined) {
    const settings = parsePolicy(said, { shortGrace })
    return { settings, policy: said, ...consumersOf(configuration, settings), configuration }
  }
  const isParts = kind === partsKind
  if (!isParts && state.policy[partsKey] !== undefined) throw partsBesideError(kind)
  if (!isParts && wanted.part !== undefined) throw unknownPartError(wanted.part, [])
  const parts = isParts ? await composeParts(said, loadRotator) : undefined
  const rotator = guardRotator(parts?.rotator() ?? (await loadRotator(kind)), tools.guard)
  const type = typeOf(rotator, said)
  const policy = { ...defaultsFor(configuration, type, isParts), ...said }
  const settings = parsePolicy(policy, { own: [...rotator.about.policy, ...(tools.store.traits.policy ?? [])], shortGrace })
  assertStrategy(rotator, kind, settings)
  const named = consumersOf(configuration, settings)
  const setup = { settings: scheduled(settings, type, state), policy, ...named, configuration }
  if (parts === undefined) return { ...setup, rotator }
  const schedules = partSchedules(policy, parts.fields, setup.settings, state)
  const running = setup.settings.mode === 'auto' ? schedules : undefined
  const chosen = chosenParts(wanted, running, state, env.now())
  const some = chosen === undefined ? rotator : guardRotator(parts.rotator(chosen), tools.guard)
  const consumers = setup.consumers.map((consumer) => ({ ...consumer, several: true as const }))
  return { ...setup, consumers, rotator: some, ...optional('schedules', schedules) }
}

const rotatorKey = `${prefix}rotator`
const partsKey = `${prefix}parts`

async function policyOf(tools: Tools, state: SecretView, versions?: (ref: SecretRef) => AsyncIterable<VersionInfo>): Promise<Policy> {
  const own = { ...tools.deps.environment, ...state.policy }
  if (own[rotatorKey] !== undefined || own[partsKey] !== undefined) return own
  return { ...(await inferred(tools, state, versions)), ...own }
}

function kindOf(policy: Policy): string | undefined {
  return policy[rotatorKey] ?? (policy[partsKey] === undefined ? undefined : partsKind)
}

/** The defaults of a type. A secret with parts takes no strategy from them, because each part has its own. */
function defaultsFor({ defaults }: Configuration, type: CredentialType, isParts: boolean): Policy {
  const { [`${prefix}strategy`]: _, ...forAll } = defaults[type] ?? {}
  return isParts ? forAll : (defaults[type] ?? {})
}

function assertStrategy({ about }: AnyRotator, kind: string, { strategy }: Settings): void {
  if (strategy === undefined || about.strategies.includes(strategy)) return
  throw new RotationError('bad_policy', `The rotator ${kind} has no strategy "${strategy}".`, {
    field: `${prefix}strategy`,
    next: `Choose one of ${about.strategies.join(', ')}.`,
  })
}

const partsBesideError = (kind: string): RotationError =>
  new RotationError('bad_policy', `${partsKey} is set beside ${rotatorKey}=${kind}.`, {
    field: partsKey,
    next: `Remove one of them, or set ${rotatorKey}=${partsKind}.`,
  })

/** A configuration that is broken or gone must not block somebody who rolls back, looks, or corrects it. */
async function configurationFor({ deps, guard }: Tools, ways: 'forward' | 'back'): Promise<Configuration> {
  try {
    return await deps.configuration()
  } catch (cause) {
    if (ways === 'forward' || !(cause instanceof RotationError)) throw cause
    guard.env.log('config_missing', { code: cause.code, why: cause.message })
    return noConfiguration
  }
}

/** What is wrong with a secret of no known kind. */
export const namesNoRotator = 'names no rotator, and its value names none that is known'

/** Makes a bad_policy error: nothing says what kind of credential the secret holds. */
export const noRotatorError = ({ shown }: SecretRef): RotationError =>
  new RotationError('bad_policy', `${shown} ${namesNoRotator}.`, {
    field: `${prefix}rotator`,
    next: `Name it: keyturn adopt ${shown} --rotator KIND; docs/policy.md has the kinds. If a placeholder is in its place: keyturn recover ${shown} --rotator KIND.`,
  })

/** What is wrong with a secret whose rotator is only inferred. */
export const notAdopted = 'was not adopted: nobody has shown yet that its value logs in'

/**
 * Whether somebody has said what the secret holds: its own policy, which `adopt` writes, or the environment of this process. A kind that is only
 * inferred from the value suffices for a rotation that the platform drives, because somebody has turned that on.
 */
export const isAdopted = ({ deps }: Pick<Tools, 'deps'>, { policy }: SecretView): boolean => {
  const said = { ...deps.environment, ...policy }
  return said[rotatorKey] !== undefined || said[partsKey] !== undefined
}

/** Whether a sweep looks after it: it was adopted, or its platform rotates it, which somebody has turned on there. */
export const mayStart = (tools: Pick<Tools, 'deps'>, state: SecretView): boolean => state.drivenBy === 'service' || isAdopted(tools, state)

/** Refuses to begin a rotation of a secret that nobody adopted. bad_policy. */
export function assertAdopted(tools: Tools, state: SecretView): void {
  if (isAdopted(tools, state)) return
  const { shown } = state.ref
  throw new RotationError('bad_policy', `${shown} ${notAdopted}.`, {
    field: rotatorKey,
    next: `Run keyturn adopt ${shown} first, or name the kind for this rotation: keyturn rotate ${shown} --rotator KIND.`,
  })
}

const inferredFromMax = 20

/**
 * The policy that the value implies. A platform's step reads either current or pending anyway, and both have the same shape. `versions`: these are
 * asked too, newest first, where that value says nothing, because a placeholder may have taken its place.
 */
export async function inferred(
  tools: Tools,
  state: SecretView,
  versions?: (ref: SecretRef) => AsyncIterable<VersionInfo>,
): Promise<Policy> {
  const { ref, drivenBy, current, pending, previous, loose } = state
  const from = drivenBy === 'service' && pending?.hasValue ? pending : current
  const first = await impliedBy(tools, ref, from)
  if (versions === undefined || isSaid(first)) return first
  const asked = new Set([from?.id])
  for (const info of [pending, previous, ...loose]) {
    if (info === undefined || asked.has(info.id)) continue
    asked.add(info.id)
    const found = await impliedBy(tools, ref, info)
    if (isSaid(found)) return found
  }
  for await (const info of versions(ref)) {
    if (asked.has(info.id)) continue
    asked.add(info.id)
    const found = await impliedBy(tools, ref, info)
    if (isSaid(found) || asked.size > inferredFromMax) return found
  }
  return first
}

const isSaid = (policy: Policy): boolean => policy[rotatorKey] !== undefined

/** Nothing where the version has no value, or none any more. */
async function impliedBy({ deps, store }: Tools, ref: SecretRef, info: VersionInfo | undefined): Promise<Policy> {
  if (!info?.hasValue) return {}
  try {
    return deps.infer(await store.read(ref, info.id))
  } catch (cause) {
    if (codeOf(cause) === 'not_found') return {}
    throw cause
  }
}
