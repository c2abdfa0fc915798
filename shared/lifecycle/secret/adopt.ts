import { codeOf, RotationError } from '../../core/errors.js'
import { seeLogin } from '../../core/login-seen.js'
import { optional } from '../../core/optional.js'
import { parsePolicy, prefix } from '../../core/policy/index.js'
import type { AnyRotator, Context, LoginEnd, Proof } from '../../core/ports/rotator.js'
import type { NotePatch, SecretState, SecretStoreAdmin } from '../../core/ports/store.js'
import type { Policy, SecretRef, VersionId } from '../../core/ports/words.js'
import { proofOf } from '../../core/proof.js'
import { nextFor } from '../../core/remedies.js'
import { sequenceNote } from '../decide/publication.js'
import { lookContext } from './context.js'
import type { Deps } from './deps.js'
import { expiryWarning } from './expiry.js'
import { lookAgain, opened, openSecret } from './open.js'
import { dueAt } from './schedule.js'
import { assertConsumers, inferred, isAdopted, type Known, type Tools } from './setup.js'
import { named, type Trial, trialOf, type Warning } from './trial.js'

type Patch = Readonly<Record<string, string | null>>

/** What one login with the current value showed; `rotator` is the kind. */
export interface Looked {
  readonly ref: SecretRef
  readonly version: VersionId
  readonly rotator: string
  /** answer: no password can be tried. */
  readonly proof: Proof
  /** null, like `logsIn`: nobody outside knows the credential, or no password can be tried. */
  readonly passwordAccepted: boolean | null
  readonly logsIn: boolean | null
  /** Why there is no session, or what is known of a refusal. */
  readonly why?: RotationError
  /** The login of the secret that the target itself ends first. */
  readonly end?: LoginEnd
  /** What a person should know of that end. */
  readonly expiry?: Warning
  /** What a rotation would write; absent where nobody asked, or where an issuer makes the credential. */
  readonly trial?: Trial
  /** What adopting made at the target, as a sentence without its full stop. */
  readonly made?: string
}

/** Says what was seen, for people. */
export function shownLook({ logsIn, proof }: Pick<Looked, 'logsIn' | 'proof'>): string {
  if (proof === 'answer') return 'is well-formed; its login is there, and no password can be tried (proof: answer)'
  return logsIn === null ? 'is well-formed; no target is asked' : 'logs in'
}

/** What is wrong with a value that does not log in; undefined where it does. target_auth where the password is refused, else the reason's code. */
export function lookError({ ref: { shown }, passwordAccepted, logsIn, why }: Looked, also = ''): RotationError | undefined {
  if (logsIn !== false) return undefined
  if (passwordAccepted !== true || why === undefined) {
    const known = why === undefined ? '' : ` ${why.message}`
    return new RotationError('target_auth', `The target refuses the current value of ${shown}${also}.${known}`, {
      next: nextFor('target_auth', shown),
      cause: why,
    })
  }
  const { code, message, next, field } = why
  const seen = `The target accepts the password of ${shown}, but gives no session${also}`
  return new RotationError(code, `${seen}. ${message}`, { cause: why, next, ...optional('field', field) })
}

/** The state with a patch over its policy; null removes a key. */
export function patched(state: SecretState, patch: Patch): SecretState {
  const isKept = (entry: [string, string | null]): entry is [string, string] => entry[1] !== null
  const entries = Object.entries({ ...state.policy, ...patch }).filter(isKept)
  return { ...state, policy: Object.fromEntries(entries) }
}

/** Checks a policy as a whole before it is written: keys, values, contradictions. bad_policy. */
export async function changePolicy(deps: Deps, admin: SecretStoreAdmin, refText: string, patch: Patch): Promise<SecretState> {
  const { tools, ref, state } = await openSecret(deps, refText)
  const after = patched(state, patch)
  const { rotator, ...setup } = await opened(tools, after).setup()
  if (['consumers', 'companions'].some((name) => `${prefix}${name}` in patch)) assertConsumers(setup)
  if (rotator === undefined) parsePolicy(after.policy, { own: tools.store.traits.policy ?? [], shortGrace: deps.shortGrace })
  else if (concernsLogin(rotator, patch)) await assertNoWorse(tools, { ...setup, rotator }, state, after)
  await admin.setPolicy(ref, patch)
  return after
}

/** Whether a patch concerns the login. Other keys, like mode or window, stay changeable while the administrator's store or the value is broken. */
function concernsLogin({ about }: AnyRotator, patch: Patch): boolean {
  const names = [...about.policy.map(({ name }) => name), 'strategy', 'admin', 'rotator', 'every']
  return names.some((name) => `${prefix}${name}` in patch)
}

/** Throws what is wrong with the policy, except where the same was wrong before: who corrects a secret step by step may write each step. */
async function assertNoWorse(tools: Tools, setup: Known, before: SecretState, after: SecretState): Promise<void> {
  try {
    await checkTogether(tools, setup, after)
  } catch (cause) {
    if (!(cause instanceof RotationError) || !(await isRefusedAlready(tools, before, cause))) throw asNamed(cause, after)
  }
}

async function isRefusedAlready(tools: Tools, before: SecretState, { code, field, message }: RotationError): Promise<boolean> {
  try {
    await checkTogether(tools, await opened(tools, before).known(), before)
    return false
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    return cause.code === code && cause.field === field && cause.message === message
  }
}

const asNamed = (cause: unknown, { ref }: SecretState): unknown => (cause instanceof RotationError ? named(cause, ref.shown) : cause)

/** Throws what the rotator refuses of policy, value and administrator together. It does not log in. */
async function checkTogether(tools: Tools, setup: Known, state: SecretState): Promise<void> {
  if (state.current?.hasValue !== true) return
  const { rotator, policy } = setup
  const text = await tools.store.read(state.ref, state.current.id)
  const current = rotator.parse(text, policy)
  rotator.check({ ...(await lookContext(tools, setup, state)), current })
}

/**
 * Adopts a secret as it is: checks the policy, tries what a rotation would write, logs in once with the current value, and only then writes the
 * policy. Changes no credential; at the target it makes at most what the policy asks to have made ahead (`made`). Removes a durable `stuck`, because the current value was just seen to work; one that no login can try stays stuck. target_auth if the value is
 * refused; without a session, the code of the reason. `onLook` hears what the login showed, also where that ends the adoption.
 */
export async function adopt(
  deps: Deps,
  admin: SecretStoreAdmin,
  refText: string,
  patch: Patch,
  onLook?: (looked: Looked) => void,
): Promise<Looked> {
  const { tools, ref, state: before } = await openSecret(deps, refText)
  const state = patched(before, patch)
  const versions = (one: SecretRef) => admin.history(one)
  const setup = await opened(tools, state, { versions }).known()
  assertConsumers(setup)
  const { looked, context } = await look(tools, setup, state, true).catch(async (cause: unknown) => {
    throw before.previous !== undefined && (await isUnreadable(tools, setup, state, cause))
      ? unreadableError(tools, setup, before, cause as RotationError)
      : asNamed(cause, state)
  })
  onLook?.(looked)
  const wrong = lookError(looked, '; nothing was changed')
  if (wrong !== undefined) throw wrong
  const made = await setup.rotator.prepare?.(context)
  // The policy names the rotator from now on, even where it was inferred. That makes the secret a managed one, and saves reading the value to find out.
  const implied = state.policy[`${prefix}rotator`] === undefined ? await inferred(tools, state, versions) : {}
  const missing = withoutKeys(implied, state.policy)
  await admin.setPolicy(ref, { ...missing, ...patch, [`${prefix}rotator`]: setup.rotator.about.kind })
  await noteAdopted(tools, before, looked.proof)
  return { ...looked, ...optional('made', made) }
}

/** Whether it failed because current is not a credential of this kind at all. */
async function isUnreadable({ store }: Tools, { rotator, policy }: Known, { ref, current }: SecretState, cause: unknown): Promise<boolean> {
  if (codeOf(cause) !== 'bad_value' || current === undefined) return false
  try {
    rotator.parse(await store.read(ref, current.id), policy)
    return false
  } catch (again) {
    return codeOf(again) === 'bad_value'
  }
}

/** A placeholder may have taken the place of the value, or somebody mistyped it: then an older version is the right one. */
function unreadableError(tools: Tools, { rotator }: Known, state: SecretState, cause: RotationError): RotationError {
  const { shown } = state.ref
  const { next: own } = named(cause, shown)
  const flag = isAdopted(tools, state) ? '' : ` --rotator ${rotator.about.kind}`
  return new RotationError('bad_value', cause.message, {
    cause,
    next: `${own} Where it took the place of another value, keyturn recover ${shown}${flag} tries the older versions and names the one safe thing to do.`,
    ...optional('field', cause.field),
  })
}

const withoutKeys = (policy: Policy, there: Policy): Policy =>
  Object.fromEntries(Object.entries(policy).filter(([key]) => there[key] === undefined))

/** Notes that `stuck` is over, and what the daily look found wrong. The policy is written already, so that it looks again where somebody else was faster. */
async function noteAdopted({ store, deps }: Tools, before: SecretState, proof: Proof): Promise<void> {
  const { ref } = before
  if (adoptedPatch(deps, before, before, proof) === undefined) return
  await lookAgain(ref.shown, async () => {
    const state = await store.describe(ref)
    const patch = adoptedPatch(deps, before, state, proof)
    if (patch !== undefined) await store.note(state, patch)
  })
}

/** What is to be noted once a login has shown that what was current before works; of that time, too, is what it ends. After a first adoption nobody needs to be told, because the readers have its value already. */
function adoptedPatch(deps: Deps, before: SecretState, state: SecretState, proof: Proof): NotePatch | undefined {
  const { journal, current } = state
  if (current === undefined || current.id !== before.current?.id) return undefined // somebody else has written since: nothing was seen of that
  const first = deps.journal && (journal?.announced ?? null) === null
  const wasStuck = proof === 'login' && before.journal?.code !== undefined && journal?.code !== undefined
  const wasWrong = deps.journal && before.journal?.checked?.code !== undefined && journal?.checked?.code !== undefined
  if (!wasStuck && !first && !wasWrong) return undefined
  // Its time goes with it, as with every announcement: a listing then shows when the next rotation is due.
  const announced = first ? { announced: current.id, sequence: sequenceNote(state, current) } : {}
  return { ...(wasStuck ? { code: null } : {}), ...announced, ...(wasWrong ? { checked: { version: current.id } } : {}) }
}

/** One login with the current value; nothing is written. */
export async function verifyCurrent(deps: Deps, refText: string): Promise<Looked> {
  const { tools, state, known } = await openSecret(deps, refText)
  const setup = await known()
  const { looked } = await look(tools, setup, state).catch((cause: unknown) => {
    throw asNamed(cause, state)
  })
  return looked
}

interface Look {
  readonly looked: Looked
  readonly context: Context<unknown>
}
async function look(tools: Tools, setup: Known, state: SecretState, tries = false): Promise<Look> {
  const { rotator, policy } = setup
  const { ref, current: info } = state
  if (info === undefined)
    throw new RotationError('not_found', `${ref.shown} has no current value.`, {
      field: 'ref',
      next: 'Add its first version, or enable one again, with the tools of its store; then run the same command again.',
    })
  const text = await tools.store.read(ref, info.id)
  const current = rotator.parse(text, policy)
  const context = { ...(await lookContext(tools, setup, state)), current }
  rotator.check(context)
  const trial = tries ? await trialOf(setup, context, text) : undefined
  const seen = await seeLogin(rotator, context, current)
  const expiry = expiryWarning(seen.end, dueAt(state, setup), tools.deps.env.now())
  const proof = proofOf(rotator, policy)
  const looked = {
    ref,
    version: info.id,
    rotator: rotator.about.kind,
    proof,
    ...seen,
    ...optional('expiry', expiry),
    ...optional('trial', trial),
  }
  const nobodyAsked = !rotator.traits.outside && seen.passwordAccepted
  return { looked: nobodyAsked ? { ...looked, passwordAccepted: null, logsIn: null } : looked, context }
}
