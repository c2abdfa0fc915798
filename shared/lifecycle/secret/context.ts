import { codeOf, RotationError } from '../../core/errors.js'
import { deriveToken } from '../../core/ids.js'
import { prefix } from '../../core/policy/index.js'
import type { AnyRotator, Context } from '../../core/ports/rotator.js'
import type { SecretState } from '../../core/ports/store.js'
import type { Policy, SecretRef, Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { guarded } from '../guard/index.js'
import type { Known, Setup, Tools } from './setup.js'

/** Reads the administrator where the policy names one, and tells the redactor its credential. admin_mismatch where that is the secret itself. */
export async function adminOf(
  tools: Tools,
  { settings, rotator }: Pick<Setup, 'settings' | 'rotator'>,
  ref: SecretRef,
  rotated: () => Promise<SecretText | undefined>,
): Promise<Pick<Context<unknown>, 'admin'>> {
  if (settings.admin === undefined) return {}
  const { admin: named } = settings
  const classify = (cause: unknown) => codeOf(cause) ?? 'internal'
  const look = { name: 'admin.read', ref: named, effect: false, classify } as const
  const admin = await guarded(tools.guard, look, () => tools.deps.readAdmin(named, rotated))
  learnAdmin(tools, rotator, admin.value)
  if (admin.ref.store === ref.store && admin.ref.key === ref.key) {
    throw new RotationError('admin_mismatch', `keyturn-admin of ${ref.shown} names the secret itself.`, {
      field: `${prefix}admin`,
      next: 'Name another login with the right to change this one, or use strategy replace without an admin.',
    })
  }
  return { admin }
}

/** A server or a driver may quote the password alone, which the rotator finds in the value. Whoever logs in with it says what is wrong with one that it cannot read. */
function learnAdmin({ guard }: Tools, rotator: AnyRotator | undefined, value: SecretText): void {
  guard.redactor.learn(value)
  try {
    guard.redactor.learn(rotator?.parse(value, {}))
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
  }
}

/** Reads a stored value; undefined where it is not a credential of this kind. */
export async function parsedOrNot(
  { store }: Tools,
  rotator: AnyRotator,
  policy: Policy,
  { ref }: Pick<SecretState, 'ref'>,
  version: VersionId,
): Promise<unknown> {
  try {
    return rotator.parse(await store.read(ref, version), policy)
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}

/** The same as lookContext; for a self-issued value, which its own rotator compares with current, with what is current. */
export async function ownContext(tools: Tools, setup: Known, state: SecretState): Promise<Context<unknown>> {
  const { rotator, policy } = setup
  const { current } = state
  const context = await lookContext(tools, setup, state)
  if (rotator.traits.outside || current === undefined) return context
  return { ...context, current: await parsedOrNot(tools, rotator, policy, state, current.id) }
}

/** A context for looking only: it belongs to no rotation and holds no claim. */
export async function lookContext(tools: Tools, setup: Setup, state: SecretState): Promise<Context<unknown>> {
  const { ref, current } = state
  const now = tools.deps.env.now()
  const rotated = async () => current && tools.store.read(ref, current.id)
  return {
    ref,
    token: deriveToken('resume', ref, current?.id ?? null, 0) as Token,
    policy: setup.policy,
    deadline: now + tools.deps.leaseMs,
    live: [],
    env: tools.guard.env,
    ...(await adminOf(tools, setup, ref, rotated)),
  }
}
