import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import { parsePolicy, prefix, type Settings } from '../../core/policy/index.js'
import type { Consumer } from '../../core/ports/notifier.js'
import type { AnyRotator } from '../../core/ports/rotator.js'
import type { SecretStore, SecretView } from '../../core/ports/store.js'
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

/** Makes a guard and a guarded store of their own: what its redactor learns is forgotten with them. */
export function createTools(deps: Deps): Tools {
  const guard = createGuard({ env: deps.env, audit: deps.audit, redactor: createRedactor(), holder: deps.holder })
  guard.redactor.learn(deps.sensitive)
  return { deps, guard, store: guardStore(deps.store, guard) }
}

/** What a secret says of itself, understood: its rotator (absent where nothing names or implies one) and its settings. */
export interface Setup {
  readonly settings: Settings
  readonly policy: Policy
  readonly rotator?: AnyRotator
  /** Where parts have schedules of their own. */
  readonly schedules?: readonly PartSchedule[]
  /** Those that the policy names, from the configuration: companions first, which are told like consumers. */
  readonly consumers: readonly Consumer[]
  readonly companions: readonly Companion[]
  /** Named by the policy, but not there. */
  readonly unknownConsumers: readonly string[]
  readonly configuration: Configuration
}

/** With its rotator. */
export type Known = Setup & { readonly rotator: AnyRotator }

/** A companion is a consumer: told of each publication, asked by the gate, looked after by the sweep. */
export const companionKind = 'companion'
const consumersOf = (
  { consumers, companions }: Configuration,
  { consumers: names, companions: others }: Settings,
): Pick<Setup, 'consumers' | 'companions' | 'unknownConsumers'> => {
  const named = others.flatMap((name) => companions[name] ?? [])
  const asConsumers = named.map(({ name: key, at, settings }) => ({ key, kind: companionKind, required: true, place: at, settings }))
  return {
    consumers: [...asConsumers, ...names.flatMap((name) => consumers[name] ?? [])],
    companions: named,
    unknownConsumers: [...names.filter((name) => !consumers[name]), ...others.filter((name) => !companions[name])],
  }
}

/**
 * bad_config for a name that the configuration secret does not have: an announcement that reaches nobody must not look like one that did. Asked
 * where something is told, gated or begun; never on a way back or where something is finished.
 */
export function assertConsumers({ unknownConsumers, configuration, settings }: Setup): void {
  if (unknownConsumers.length === 0) return
  const known = [...Object.keys(configuration.companions), ...Object.keys(configuration.consumers)].join(', ') || 'none'
  const key = unknownConsumers.every((name) => settings.companions.includes(name)) ? 'companions' : 'consumers'
  throw new RotationError(
    'bad_config',
    `${prefix}${key} names ${unknownConsumers.join(', ')}, which the configuration secret does not have.`,
    {
      field: `${prefix}${key}`,
      next: `Add it to the configuration secret (KEYTURN_CONFIG), or set ${prefix}${key}=none. Known: ${known}.`,
    },
  )
}

/** Secret > function environment > inferred from the value > defaults by type. The value is read only where nothing names a rotator. bad_policy. */
export async function readSetup(
  tools: Tools,
  state: SecretView,
  ways: 'forward' | 'back' = 'forward',
  wanted: Wanted = { kind: 'rotate', at: 0 },
): Promise<Setup> {
  const own = { ...tools.deps.environment, ...state.policy }
  const said =
    own[`${prefix}rotator`] === undefined && own[`${prefix}parts`] === undefined ? { ...(await inferred(tools, state)), ...own } : own
  const kind = said[`${prefix}rotator`] ?? (said[`${prefix}parts`] === undefined ? undefined : partsKind)
  const configuration = await configurationFor(tools, ways)
  const shortGrace = tools.deps.shortGrace
  if (kind === undefined) {
    const settings = parsePolicy(said, { shortGrace })
    return { settings, policy: said, ...consumersOf(configuration, settings), configuration }
  }
  if (kind !== partsKind && state.policy[`${prefix}parts`] !== undefined)
    throw new RotationError('bad_policy', `${prefix}parts stands beside ${prefix}rotator=${kind}.`, {
      field: `${prefix}parts`,
      next: `Take one of them away, or set ${prefix}rotator=${partsKind}.`,
    })
  if (wanted.part !== undefined && kind !== partsKind) throw unknownPartError(wanted.part, [])
  const parts = kind === partsKind ? await composeParts(said, (name) => tools.deps.loadRotator(name)) : undefined
  const whole = parts?.rotator() ?? (await tools.deps.loadRotator(kind))
  const rotator = guardRotator(whole, tools.guard)
  const type = typeOf(rotator, said)
  const { [`${prefix}strategy`]: _, ...forAll } = configuration.defaults[type] ?? {}
  const policy = { ...(kind === partsKind ? forAll : configuration.defaults[type]), ...said }
  const settings = parsePolicy(policy, { own: rotator.about.policy, shortGrace })
  if (settings.strategy !== undefined && !rotator.about.strategies.includes(settings.strategy)) {
    throw new RotationError('bad_policy', `The rotator ${kind} has no strategy "${settings.strategy}".`, {
      field: `${prefix}strategy`,
      next: `Choose one of ${rotator.about.strategies.join(', ')}.`,
    })
  }
  const setup = { settings: scheduled(settings, type, state), policy, ...consumersOf(configuration, settings), configuration }
  if (parts === undefined) return { ...setup, rotator }
  const schedules = partSchedules(policy, parts.fields, setup.settings, state)
  const chosen = chosenParts(wanted, setup.settings.mode === 'auto' ? schedules : undefined, state, tools.deps.env.now())
  const some = chosen === undefined ? rotator : guardRotator(parts.rotator(chosen), tools.guard)
  const consumers = setup.consumers.map((consumer) => ({ ...consumer, several: true as const }))
  return { ...setup, consumers, rotator: some, ...optional('schedules', schedules) }
}

/** A configuration that is broken or gone must not stand in the way of whoever goes back, looks, or corrects it. */
async function configurationFor({ deps, guard }: Tools, ways: 'forward' | 'back'): Promise<Configuration> {
  try {
    return await deps.configuration()
  } catch (cause) {
    if (ways === 'forward' || !(cause instanceof RotationError)) throw cause
    guard.env.log('config_missing', { code: cause.code, why: cause.message })
    return noConfiguration
  }
}

export const namesNoRotator = 'names no rotator, and its value does not say what it is'

/** bad_policy: nothing says what kind of credential it is. */
export const noRotatorError = ({ shown }: SecretRef): RotationError =>
  new RotationError('bad_policy', `${shown} ${namesNoRotator}.`, {
    field: `${prefix}rotator`,
    next: `Name it: keyturn adopt ${shown} --rotator KIND; docs/policy.md has the kinds.`,
  })

/** A platform's step reads either current or pending anyway: both have the same shape. */
export async function inferred({ deps, store }: Tools, { ref, drivenBy, current, pending }: SecretView): Promise<Policy> {
  const from = drivenBy === 'service' && pending?.hasValue ? pending : current
  return from?.hasValue ? deps.infer(await store.read(ref, from.id)) : {}
}
