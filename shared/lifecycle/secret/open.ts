import { codeOf, RotationError } from '../../core/errors.js'
import type { SecretState, SecretView, VersionInfo } from '../../core/ports/store.js'
import type { SecretRef } from '../../core/ports/words.js'
import { remedies } from '../../core/remedies.js'
import type { Deps } from './deps.js'
import type { Wanted } from './parts/schedule.js'
import { createTools, isAdopted, type Known, noRotatorError, readSetup, type Setup, type Tools } from './setup.js'

/** A secret that was looked at once, through the guard. Its setup is read when it is first asked for, and only once. */
export interface Opened<S extends SecretView = SecretState> {
  readonly tools: Tools
  readonly ref: SecretRef
  readonly state: S
  /** bad_policy, bad_config. */
  setup(): Promise<Setup>
  /** bad_policy, too, where nothing names a rotator. */
  known(): Promise<Known>
}

/** What a secret is opened for. */
export interface Purpose {
  /** back: somebody rolls back, looks or corrects. A configuration that is broken or gone does not block that. */
  readonly ways?: 'forward' | 'back'
  /** What is to change, where the secret holds several credentials. */
  readonly wanted?: Wanted
  /** The versions, newest first, that say what the secret holds where neither the policy nor the current value does. */
  readonly versions?: (ref: SecretRef) => AsyncIterable<VersionInfo>
}

/** Looks at a secret. not_found, bad_event, and what the store says of itself. */
export async function openSecret(deps: Deps, refText: string, purpose: Purpose = {}): Promise<Opened> {
  const tools = createTools(deps)
  return openRef(tools, await tools.store.resolve(refText), purpose)
}

const openRef = async (tools: Tools, ref: SecretRef, purpose: Purpose): Promise<Opened> =>
  opened(tools, await tools.store.describe(ref), purpose)

/** Opens a secret whose state was looked at already. */
export function opened<S extends SecretView>(tools: Tools, state: S, { ways, wanted, versions }: Purpose = {}): Opened<S> {
  let read: Promise<Setup> | undefined
  const setup = (): Promise<Setup> => {
    read ??= readSetup(tools, state, ways, wanted, versions)
    return read
  }
  const known = async (): Promise<Known> => {
    const { rotator, ...rest } = await setup()
    if (rotator === undefined) throw noRotatorError(state.ref)
    return { ...rest, rotator }
  }
  return { tools, ref: state.ref, state, setup, known }
}

/** Opens a secret and acts; opens it again where a race was lost. Throws what `act` throws otherwise, and `conflict` where nothing settles. */
export async function withSecret<T>(
  deps: Deps,
  refText: string,
  purpose: Purpose,
  act: (opened: Opened) => Promise<T | 'again'>,
): Promise<T> {
  const tools = createTools(deps)
  const ref = await tools.store.resolve(refText)
  return lookAgain(ref.shown, async () => act(await openRef(tools, ref, purpose)))
}

const attemptsMax = 6

/** Whether another writer was faster, or an answer was lost: then the state that was read is old. */
export const isLostRace = (cause: unknown): boolean => ['conflict', 'ambiguous'].includes(codeOf(cause) ?? '')

/** Acts again, from a fresh look, while a race is lost or `act` says that it changed the state itself. At most six times. */
export async function lookAgain<T>(shown: string, act: () => Promise<T | 'again'>, isOld = isLostRace): Promise<T> {
  let lost: unknown
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    try {
      const result = await act()
      if (result !== 'again') return result
    } catch (cause) {
      if (!isOld(cause)) throw cause
      lost = cause
    }
  }
  const why = `${shown} did not settle after ${attemptsMax} attempts.`
  throw lost ?? new RotationError('conflict', why, { next: remedies.conflict })
}

/** Names the kind of a secret whose policy names none, for this process. bad_event where it names one already. */
export async function namedBy(deps: Deps, refText: string, kind: string | undefined): Promise<Deps> {
  if (kind === undefined) return deps
  const { tools, state } = await openSecret(deps, refText)
  if (state.policy['keyturn-rotator'] === kind) return deps
  if (!isAdopted(tools, state)) return { ...deps, environment: { ...deps.environment, 'keyturn-rotator': kind } }
  throw new RotationError('bad_event', `The policy of ${state.ref.shown} already says what the secret holds.`, {
    field: 'rotator',
    next: `Omit --rotator, or change the policy with keyturn adopt ${state.ref.shown} --rotator ${kind}.`,
  })
}
