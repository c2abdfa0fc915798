import { RotationError } from '../../core/errors.js'
import { parsePolicy, prefix } from '../../core/policy/index.js'
import type { AnyRotator } from '../../core/ports/rotator.js'
import type { SecretState, SecretStoreAdmin } from '../../core/ports/store.js'
import type { Policy, SecretRef } from '../../core/ports/words.js'
import { nextFor } from '../../core/remedies.js'
import { lookContext } from './context.js'
import type { Deps } from './deps.js'
import { opened, openSecret } from './open.js'
import { assertConsumers, inferred, type Known, type Tools } from './setup.js'

type Patch = Readonly<Record<string, string | null>>

/** What one login with the current value showed; `rotator` is the kind. */
export interface Looked {
  readonly ref: SecretRef
  readonly rotator: string
  readonly accepted: boolean
}

/** The policy with a patch over it; null and the empty text take a key away. */
export function patched(state: SecretState, patch: Patch): SecretState {
  const entries = Object.entries({ ...state.policy, ...patch }).filter((entry): entry is [string, string] => entry[1] !== null)
  return { ...state, policy: Object.fromEntries(entries) }
}

/** Checks a policy as a whole before it is written: keys, values, contradictions. bad_policy. */
export async function changePolicy(deps: Deps, admin: SecretStoreAdmin, refText: string, patch: Patch): Promise<SecretState> {
  const { tools, ref, state } = await openSecret(deps, refText)
  const after = patched(state, patch)
  const { rotator, ...setup } = await opened(tools, after).setup()
  if (['consumers', 'companions'].some((name) => `${prefix}${name}` in patch)) assertConsumers(setup)
  if (rotator === undefined) parsePolicy(after.policy, { own: [], shortGrace: deps.shortGrace })
  else if (concernsLogin(rotator, patch)) await checkTogether(tools, { ...setup, rotator }, after)
  await admin.setPolicy(ref, patch)
  return after
}

/** Keys like mode or window stay changeable while the administrator's store or the value itself is out of order. */
const concernsLogin = ({ about }: AnyRotator, patch: Patch): boolean =>
  [...about.policy.map(({ name }) => name), 'strategy', 'admin', 'rotator', 'every'].some((name) => `${prefix}${name}` in patch)

/** What the rotator refuses of policy, value and administrator together; no login. */
async function checkTogether(tools: Tools, setup: Known, state: SecretState): Promise<void> {
  if (state.current?.hasValue !== true) return
  const value = setup.rotator.parse(await tools.store.read(state.ref, state.current.id), setup.policy)
  setup.rotator.check({ ...(await lookContext(tools, setup, state)), current: value })
}

/**
 * Takes a secret as it is: checks the policy, logs in once with the current value, and only then writes the policy. Changes nothing at the
 * target. Takes a durable `stuck` away, since the current value was just seen to work. target_auth when it is refused.
 */
export async function adopt(deps: Deps, admin: SecretStoreAdmin, refText: string, patch: Patch): Promise<Looked> {
  const { tools, ref, state: before } = await openSecret(deps, refText)
  const state = patched(before, patch)
  const setup = await opened(tools, state).known()
  assertConsumers(setup)
  const looked = await look(tools, setup, state)
  if (!looked.accepted) {
    throw new RotationError('target_auth', `The target refused the current value of ${ref.shown}; nothing was changed.`, {
      next: nextFor('target_auth', ref.shown),
    })
  }
  // Named from now on, also where it was inferred: it is what makes a secret a managed one, and saves reading the value to find out.
  const implied = state.policy[`${prefix}rotator`] === undefined ? await inferred(tools, state) : {}
  await admin.setPolicy(ref, { ...withoutKeys(implied, state.policy), ...patch, [`${prefix}rotator`]: setup.rotator.about.kind })
  await noteTaken(tools, before)
  return looked
}

const withoutKeys = (policy: Policy, there: Policy): Policy =>
  Object.fromEntries(Object.entries(policy).filter(([key]) => there[key] === undefined))

/** `stuck` is over; and who reads the secret of a first adoption has its value already, so that nobody needs to be told. */
async function noteTaken({ store, deps }: Tools, { ref, current, journal }: SecretState): Promise<void> {
  const first = deps.journal && (journal?.announced ?? null) === null && current !== undefined
  if (journal?.code === undefined && !first) return
  const patch = { ...(journal?.code === undefined ? {} : { code: null }), ...(first ? { announced: current.id } : {}) }
  await store.note(await store.describe(ref), patch)
}

/** One login with the current value; nothing is written. */
export async function verifyCurrent(deps: Deps, refText: string): Promise<Looked> {
  const { tools, state, known } = await openSecret(deps, refText)
  return look(tools, await known(), state)
}

async function look(tools: Tools, setup: Known, state: SecretState): Promise<Looked> {
  const { rotator, policy } = setup
  if (state.current === undefined)
    throw new RotationError('not_found', `${state.ref.shown} has no current value.`, {
      next: `Put one with keyturn put ${state.ref.shown}.`,
    })
  const value = rotator.parse(await tools.store.read(state.ref, state.current.id), policy)
  const context = { ...(await lookContext(tools, setup, state)), current: value }
  rotator.check(context)
  return { ref: state.ref, rotator: rotator.about.kind, accepted: await rotator.accepted(context, value) }
}
