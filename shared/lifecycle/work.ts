import { codeOf, RotationError } from '../core/errors.js'
import { deriveToken } from '../core/ids.js'
import { parsePolicy, prefix, type Settings } from '../core/policy/index.js'
import type { Target } from '../core/ports/notifier.js'
import type { AnyRotator, Context } from '../core/ports/rotator.js'
import type { Claim, SecretState, SecretStore } from '../core/ports/store.js'
import type { Policy, SecretRef, Token, VersionId } from '../core/ports/words.js'
import type { SecretText } from '../core/secret-text.js'
import { scheduled, typeOf } from './defaults.js'
import { type Companion, type Configuration, type Deps, noConfiguration } from './deps.js'
import { createGuard, createRedactor, type Guard, guarded, guardRotator, guardStore } from './guard/index.js'

/** One invocation's tools, all behind the guard. */
export interface Tools {
  readonly deps: Deps
  readonly guard: Guard
  readonly store: SecretStore
}

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
  /** Those that the policy names, from the configuration: companions first, which are told like consumers. */
  readonly targets: readonly Target[]
  readonly companions: readonly Companion[]
  /** Named by the policy, but not there. */
  readonly unknownTargets: readonly string[]
  readonly configuration: Configuration
}

/** A companion is a target: told of each publication, asked by the gate, looked after by the sweep. */
export const companionKind = 'companion'
const targetsOf = (
  { targets, companions }: Configuration,
  { targets: names, companions: others }: Settings,
): Pick<Setup, 'targets' | 'companions' | 'unknownTargets'> => {
  const named = others.flatMap((name) => companions[name] ?? [])
  const asTargets = named.map(({ name: key, settings }) => ({ key, kind: companionKind, required: true, settings }))
  return {
    targets: [...asTargets, ...names.flatMap((name) => targets[name] ?? [])],
    companions: named,
    unknownTargets: [...names.filter((name) => !targets[name]), ...others.filter((name) => !companions[name])],
  }
}

/**
 * bad_config for a name that the configuration secret does not have: an announcement that reaches nobody must not look like one that did. Asked
 * where something is told, gated or begun; never on a way back or where something is finished.
 */
export function assertTargets({ unknownTargets, configuration, settings }: Setup): void {
  if (unknownTargets.length === 0) return
  const known = [...Object.keys(configuration.companions), ...Object.keys(configuration.targets)].join(', ') || 'none'
  const key = unknownTargets.every((name) => settings.companions.includes(name)) ? 'companions' : 'targets'
  throw new RotationError(
    'bad_config',
    `${prefix}${key} names ${unknownTargets.join(', ')}, which the configuration secret does not have.`,
    {
      field: `${prefix}${key}`,
      next: `Add it to the configuration secret (KEYTURN_CONFIG), or set ${prefix}${key}=none. Known: ${known}.`,
    },
  )
}

/** Secret > function environment > inferred from the value > defaults by type. The value is read only where nothing names a rotator. bad_policy. */
export async function understand(tools: Tools, state: SecretState, ways: 'forward' | 'back' = 'forward'): Promise<Setup> {
  const own = { ...tools.deps.environment, ...state.policy }
  const said = own[`${prefix}rotator`] === undefined ? { ...(await inferred(tools, state)), ...own } : own
  const kind = said[`${prefix}rotator`]
  const configuration = await configurationFor(tools, ways)
  const shortGrace = tools.deps.shortGrace
  if (kind === undefined) {
    const settings = parsePolicy(said, { shortGrace })
    return { settings, policy: said, ...targetsOf(configuration, settings), configuration }
  }
  const rotator = guardRotator(await tools.deps.loadRotator(kind), tools.guard)
  const type = typeOf(rotator, said)
  const policy = { ...configuration.defaults[type], ...said }
  const settings = parsePolicy(policy, { own: rotator.about.policy, shortGrace })
  if (settings.strategy !== undefined && !rotator.about.strategies.includes(settings.strategy)) {
    throw new RotationError('bad_policy', `The rotator ${kind} has no strategy "${settings.strategy}".`, {
      field: `${prefix}strategy`,
      next: `Choose one of ${rotator.about.strategies.join(', ')}.`,
    })
  }
  return { settings: scheduled(settings, type, state), policy, rotator, ...targetsOf(configuration, settings), configuration }
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
export const withoutRotator = ({ shown }: SecretRef): RotationError =>
  new RotationError('bad_policy', `${shown} ${namesNoRotator}.`, {
    field: `${prefix}rotator`,
    next: `Name it: keyturn adopt ${shown} --rotator postgres.`,
  })

/** A platform's step reads either current or pending anyway: both have the same shape. */
export async function inferred({ deps, store }: Tools, { ref, drivenBy, current, pending }: SecretState): Promise<Policy> {
  const from = drivenBy === 'service' && pending?.hasValue ? pending : current
  return from?.hasValue ? deps.infer(await store.read(ref, from.id)) : {}
}

/** What a rotator starts before its deadline must have ended, one way or the other, when the lease does: nobody else acts before that. */
const marginMs = 30_000

/** One claimed rotation: what the steps share. Values are read at most once. */
export interface Work {
  readonly tools: Tools
  readonly setup: Setup
  readonly rotator: AnyRotator
  readonly claim: Claim
  readonly context: Context<unknown>
  /** The base's value as text: its shape is what the new credential is written into. */
  readonly baseText?: SecretText
  /** False while an administrator is named but was not read: then `check` waits for the step that uses it. */
  readonly checkable: boolean
  /** With everything read that `needs` left out: for the rare turn in which it is needed after all. */
  whole(): Promise<Work>
}

/** What a step of a platform can do without: each read is a call there, and somebody's bill. */
export interface Needs {
  readonly base: boolean
  readonly admin: boolean
}
const everything: Needs = { base: true, admin: true }

export async function openWork(
  tools: Tools,
  setup: Setup & { rotator: AnyRotator },
  state: SecretState,
  claim: Claim,
  needs = everything,
): Promise<Work> {
  const { rotator, policy } = setup
  if (claim.base === null) throw new RotationError('internal', 'A rotation has no base version.', { next: 'Report it.' })
  const baseText = needs.base ? await tools.store.read(state.ref, claim.base) : undefined
  const base = baseText && readBase(rotator, policy, baseText, claim.kind)
  const stagedAt = state.pending?.createdAt
  const context: Context<unknown> = {
    ref: state.ref,
    token: claim.token,
    policy,
    deadline: claim.leaseUntil - Math.min(marginMs, tools.deps.leaseMs / 2),
    current: base,
    previous: once(() => readPrevious(tools, rotator, policy, state, claim.base)),
    live: [...(base === undefined ? [] : [rotator.identify(base)]), ...(state.journal?.retiring ?? []).map(({ id }) => id)],
    env: tools.guard.env,
    publishedAt: state.publishedAt,
    released: (state.journal?.retiring ?? []).filter((entry) => entry.state === 'armed').map(({ id }) => id),
    ...(claim.kind === 'emergency' ? { emergency: true as const } : {}),
    ...(stagedAt === undefined ? {} : { stagedAt }),
    ...(needs.admin ? await adminOf(tools, setup.settings, state.ref, async () => baseText) : {}),
  }
  const checkable = needs.admin || setup.settings.admin === undefined
  const work: Work = { tools, setup, rotator, claim, context, ...(baseText ? { baseText } : {}), checkable, whole: async () => work }
  if (needs.base && checkable) return work
  return { ...work, whole: once(() => openWork(tools, setup, state, claim)) }
}

/** A put replaces whatever is there, also what somebody wrote past us and nobody can read. */
function readBase(rotator: AnyRotator, policy: Policy, text: SecretText, kind: Claim['kind']): unknown {
  try {
    return rotator.parse(text, policy)
  } catch (cause) {
    if (kind === 'put' && codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}

async function readPrevious(
  tools: Tools,
  rotator: AnyRotator,
  policy: Policy,
  state: SecretState,
  base: VersionId | null,
): Promise<unknown> {
  const { previous } = state
  if (previous === undefined || previous.id === base) return undefined
  try {
    return rotator.parse(await tools.store.read(state.ref, previous.id), policy)
  } catch (cause) {
    if (codeOf(cause) === 'not_found' || codeOf(cause) === 'bad_value') return undefined // gone, or never a credential of this kind
    throw cause
  }
}

export async function adminOf(
  tools: Tools,
  settings: Settings,
  ref: SecretRef,
  rotated: () => Promise<SecretText | undefined>,
): Promise<Pick<Context<unknown>, 'admin'>> {
  if (settings.admin === undefined) return {}
  const { admin: named } = settings
  const look = { name: 'admin.read', ref: named, effect: false, classify: (cause: unknown) => codeOf(cause) ?? 'internal' } as const
  const admin = await guarded(tools.guard, look, () => tools.deps.readAdmin(named, rotated))
  tools.guard.redactor.learn(admin.value)
  if (admin.ref.store === ref.store && admin.ref.key === ref.key) {
    throw new RotationError('admin_mismatch', `keyturn-admin of ${ref.shown} names the secret itself.`, {
      field: `${prefix}admin`,
      next: 'Name another login with the right to change this one, or use strategy replace without an admin.',
    })
  }
  return { admin }
}

/** A context for looking only: no rotation, no claim. */
export async function lookContext(tools: Tools, setup: Setup, state: SecretState): Promise<Context<unknown>> {
  const now = tools.deps.env.now()
  const { current } = state
  return {
    ref: state.ref,
    token: deriveToken('resume', state.ref, state.current?.id ?? null, 0) as Token,
    policy: setup.policy,
    deadline: now + tools.deps.leaseMs,
    live: [],
    env: tools.guard.env,
    ...(await adminOf(tools, setup.settings, state.ref, async () => current && tools.store.read(state.ref, current.id))),
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
