import { codeOf, RotationError } from '../../core/errors.js'
import type { SecretState, SecretView } from '../../core/ports/store.js'
import type { SecretRef } from '../../core/ports/words.js'
import { remedies } from '../../core/remedies.js'
import type { Deps } from './deps.js'
import type { Wanted } from './parts/schedule.js'
import { createTools, type Known, noRotatorError, readSetup, type Setup, type Tools } from './setup.js'

/** A secret that was looked at once, through the guard. What it says of itself is understood when it is asked for, and then once. */
export interface Opened<S extends SecretView = SecretState> {
  readonly tools: Tools
  readonly ref: SecretRef
  readonly state: S
  /** bad_policy, bad_config. */
  setup(): Promise<Setup>
  /** bad_policy also where nothing names a rotator. */
  known(): Promise<Known>
}

/** What it is opened for. */
export interface Purpose {
  /** back: somebody goes back, looks or corrects, and a configuration that is broken or gone does not stand in the way. */
  readonly ways?: 'forward' | 'back'
  /** What is to change, where the secret holds several credentials. */
  readonly wanted?: Wanted
}

/** Looks at a secret. not_found, bad_event, and what the store says of itself. */
export async function openSecret(deps: Deps, refText: string, purpose: Purpose = {}): Promise<Opened> {
  const tools = createTools(deps)
  return openRef(tools, await tools.store.resolve(refText), purpose)
}

const openRef = async (tools: Tools, ref: SecretRef, purpose: Purpose): Promise<Opened> =>
  opened(tools, await tools.store.describe(ref), purpose)

/** The same for a state that was looked at already. */
export function opened<S extends SecretView>(tools: Tools, state: S, { ways, wanted }: Purpose = {}): Opened<S> {
  let understood: Promise<Setup> | undefined
  const setup = (): Promise<Setup> => {
    understood ??= readSetup(tools, state, ways, wanted)
    return understood
  }
  const known = async (): Promise<Known> => {
    const { rotator, ...rest } = await setup()
    if (rotator === undefined) throw noRotatorError(state.ref)
    return { ...rest, rotator }
  }
  return { tools, ref: state.ref, state, setup, known }
}

/** Opens it and acts; opens it again where a race was lost. What `act` throws otherwise, and `conflict` where nothing settles. */
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

/** Another writer was faster, or an answer was lost: what is known is old. */
export const isLostRace = (cause: unknown): boolean => ['conflict', 'ambiguous'].includes(codeOf(cause) ?? '')

/** Acts again, from a fresh look, while a race is lost or `act` says that it changed the state itself: six times at most. */
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
  throw lost ?? new RotationError('conflict', `${shown} did not settle after ${attemptsMax} attempts.`, { next: remedies.conflict })
}
