import { codeOf, RotationError } from '../../core/errors.js'
import type { Difference } from '../../core/ports/rotator.js'
import type { VersionInfo } from '../../core/ports/store.js'
import type { VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { holdLease } from '../secret/lease.js'
import { isByAnswer } from './by-answer.js'
import { giveUpValue, markStuck, resolveRefusal, withReason } from './refused-value.js'
import type { Work } from './work.js'

/** A staged value with its version. set, test and finish work on it. */
export interface Pending {
  readonly version: VersionId
  readonly value: unknown
  readonly text: SecretText
}

const propagationMsMax = 120_000
const propagationMsBase = 1000

/** createSecret: makes a value (or takes the supplied one) and keeps it, complete, before the target is touched. */
export async function createSecret(work: Work, suppliedValue?: SecretText): Promise<Pending> {
  const { rotator, context, claim, tools } = work
  const fresh = suppliedValue ?? (await newValue(work))
  // It is parsed before it is kept: a text that nobody can read would block every later rotation.
  const value = rotator.parse(fresh, context.policy)
  const isMinted = suppliedValue === undefined && rotator.issuer !== undefined
  // What an issuer has just made is kept whatever became of the lease: nobody else knows of it.
  if (!isMinted) await holdLease(tools, claim)
  const staged = await tools.store.stage(claim, fresh)
  if (staged.stored !== 'other') return { version: staged.version, value, text: fresh }
  const winner = await readPending(work, staged.version)
  const minted = isMinted ? rotator.identify(value) : undefined
  if (minted !== undefined && minted !== rotator.identify(winner.value)) await rotator.retire(context, minted)
  return winner
}

async function newValue(work: Work): Promise<SecretText> {
  const { rotator, context, baseText = (await work.loadEverything()).baseText } = work
  if (baseText === undefined)
    throw new RotationError('internal', 'A rotation has no base value.', { next: 'Report it; nothing was changed.' })
  if (work.checkable) rotator.check(context)
  if (rotator.issuer) await holdLease(work.tools, work.claim)
  const next = rotator.issuer ? await rotator.issuer.mint(context) : await rotator.propose(context)
  const text = rotator.render(baseText, next)
  if (text.equals(baseText)) {
    throw new RotationError('internal', `The rotator ${rotator.about.kind} made the same value again.`, {
      next: 'Report it; nothing was changed.',
    })
  }
  return text
}

/** Reads and parses a staged value. bad_value. */
export async function readPending({ tools, context, rotator }: Work, version: VersionId): Promise<Pending> {
  const text = await tools.store.read(context.ref, version)
  return { version, value: rotator.parse(text, context.policy), text }
}

/** setSecret: makes the target accept the pending value. May be repeated. */
export async function setSecret(work: Work, pending: Pending): Promise<void> {
  const { rotator, context } = work
  rotator.check(context, pending.value)
  if (rotator.traits.outside) await holdLease(work.tools, work.claim)
  try {
    const progress = await rotator.apply(context, pending.value)
    if (progress.done) return
    throw new RotationError('held', `The target takes the new value only later (${progress.why}).`, {
      next: `Run keyturn rotate ${context.ref.shown} --resume after ${new Date(progress.again).toISOString()}.`,
    })
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'target_auth')
      return markStuck(work, withReason('The target refused the current, the pending and the previous credential.', { cause }))
    // The target's policy refused the value. An earlier attempt may have set the same value all the same ("password was used before").
    if (code === 'rejected') return resolveRefusal(work, pending.version, pending.value, { pending: 'unknown', cause })
    throw cause
  }
}

/**
 * testSecret: logs in with the pending value and compares it with the outgoing credential. `answered`: the target has said that it set this very value.
 */
export async function testSecret(work: Work, pending: Pending, answered = false): Promise<readonly Difference[]> {
  if (isByAnswer(work)) return testByAnswer(work, pending, answered)
  let differences: readonly Difference[] = []
  try {
    differences = await verifyPatiently(work, pending).catch(async (cause: unknown) => {
      if (codeOf(cause) !== 'target_auth' || mayLag(work)) throw cause
      // The administrator may belong to the primary of a replica, and the replica is a moment behind.
      const whole = await work.loadEverything()
      if (mayLag(whole)) return verifyPatiently(whole, pending)
      // Only an administrator sees why. The refused login is not repeated.
      const isSeen = work.context.admin === undefined && whole.context.admin !== undefined
      if (isSeen) return whole.rotator.verify(whole.context, pending.value)
      throw cause
    })
  } catch (cause) {
    // Only its own rotator judges a self-issued value: nobody has accepted what that refuses.
    const code = codeOf(cause)
    const isRefused = code === 'target_auth' || (code === 'bad_value' && isOurOwn(work))
    if (!isRefused) throw cause
    await resolveRefusal(work, pending.version, pending.value, { pending: 'refused', cause })
  }
  return fatalStops(work, differences)
}

/** No password can be tried: setting the value is its test. Where nobody here has heard the answer to that, it is set again, which changes nothing else. */
async function testByAnswer(work: Work, pending: Pending, answered: boolean): Promise<readonly Difference[]> {
  const { rotator, context } = work
  if (!answered) await setSecret(work, pending)
  context.env.log('proven_by_answer', { ref: context.ref.shown })
  return fatalStops(work, await rotator.verify(context, pending.value))
}

/** Whether our own rotator has made this value, and no target outside knows it. */
const isOurOwn = ({ rotator, claim }: Work): boolean => !rotator.traits.outside && claim.kind !== 'put' && claim.kind !== 'rollback'

/** verify_failed where a difference is fatal. */
export function fatalStops(
  { rotator, context }: Pick<Work, 'rotator' | 'context'>,
  differences: readonly Difference[],
): readonly Difference[] {
  const fatal = differences.filter((difference) => difference.fatal)
  if (fatal.length === 0) return differences
  const { shown } = context.ref
  const list = fatal.map(({ what, outgoing, incoming }) => `${what}: outgoing ${outgoing}, incoming ${incoming}`)
  const why = `The new credential of ${shown} logs in, but differs from the outgoing one. ${list.join('; ')}.`
  throw new RotationError('verify_failed', why, {
    next: `Fix it at the target, then run keyturn rotate ${shown} --resume. ${rotator.about.kind} publishes nothing meanwhile.`,
  })
}

/** The test step alone. Nobody can say here that set was run, so a refusal does not prove that the value is bad. Nothing is given up. */
export async function testAlone(work: Work, pending: Pending): Promise<readonly Difference[]> {
  if (isByAnswer(work)) throw notTestableError(work)
  try {
    return fatalStops(work, await verifyPatiently(work, pending))
  } catch (cause) {
    if (codeOf(cause) !== 'target_auth') throw cause
    const { shown } = work.context.ref
    throw new RotationError('rejected', `The target does not accept the pending value of ${shown}; it is kept.`, {
      cause,
      next: `Run keyturn rotate ${shown} --step set first, or keyturn rotate ${shown} --resume, which does everything that is left.`,
    })
  }
}

const notTestableError = ({ context: { ref } }: Work): RotationError =>
  new RotationError(
    'bad_event',
    `No login can test the pending value of ${ref.shown}: only the answer to setting it shows that it works.`,
    {
      field: 'step',
      next: `Run keyturn rotate ${ref.shown} --resume: it sets the value and publishes it.`,
    },
  )

/**
 * The test of a value that a person put. Nothing was set for it. When it does not work while current does, it is given up, so that it blocks
 * nobody. It is kept where the target accepts its password and only gives no session: what the target has taken is never thrown away. Where no password
 * can be tried it is set like every other value.
 */
export async function testPut(work: Work, pending: Pending): Promise<readonly Difference[]> {
  if (isByAnswer(work)) return testSecret(work, pending)
  try {
    return await testSecret(work, pending)
  } catch (cause) {
    const isUseless = isFinal(cause) && !(await isTaken(work, pending, cause)) && (await currentWorks(work))
    if (isUseless) await giveUpValue(work, pending.version, pending.value)
    throw cause
  }
}

const isFinal = (cause: unknown): boolean =>
  cause instanceof RotationError && (cause.remedy === 'fix' || cause.code === 'target_unreachable' || cause.code === 'verify_failed')

/** Whether the target accepts the password of a value that gave no session. A value that differs has given one. */
async function isTaken(work: Work, { value }: Pending, cause: unknown): Promise<boolean> {
  const isAnswer = ['verify_failed', 'target_auth'].includes(codeOf(cause) ?? '')
  return work.rotator.traits.outside && !isAnswer && isAccepted(work, value)
}

const currentWorks = async (work: Work): Promise<boolean> =>
  work.context.current !== undefined && (await isAccepted(work, work.context.current))

/** False where nobody can tell, too. */
async function isAccepted({ rotator, context }: Work, value: unknown): Promise<boolean> {
  try {
    return await rotator.accepted(context, value)
  } catch (cause) {
    if (cause instanceof RotationError) return false
    throw cause
  }
}

/** Whether the target may refuse for a while what was set. */
const mayLag = (work: Work): boolean => work.rotator.traits.propagates || appliesLater(work)
/**
 * Whether a control plane sets the value later, or a replica of the database gets it later. Such a value is never given up for a refusal, even where
 * the outgoing one still works. Nothing here has set a value that a person put.
 */
const appliesLater = ({ rotator, context, claim }: Work): boolean =>
  claim.kind !== 'put' && (rotator.traits.asynchronous === true || context.admin?.hosts !== undefined)

/** Verifies again for a while where the issuer spreads a new credential. The deadline counts from staging, not from this attempt. */
async function verifyPatiently(work: Work, pending: Pending): Promise<readonly Difference[]> {
  const { rotator, context } = work
  const { env, deadline, ref } = context
  const giveUpAt = (context.stagedAt ?? env.now()) + propagationMsMax
  for (let waitMs = propagationMsBase; ; waitMs = Math.min(waitMs * 2, 15_000)) {
    try {
      return await rotator.verify(context, pending.value)
    } catch (cause) {
      if (codeOf(cause) !== 'target_auth' || !mayLag(work)) throw cause
      if (!appliesLater(work) && env.now() >= giveUpAt) throw cause
      if (env.now() + waitMs >= deadline || env.cancelled.aborted) {
        throw new RotationError('not_propagated', `The new credential of ${ref.shown} is not accepted everywhere yet.`, {
          cause,
          next: `Run keyturn rotate ${ref.shown} --resume in a minute.`,
        })
      }
      await env.sleep(waitMs)
    }
  }
}

/** finishSecret: the only step that changes what consumers read. `tested`: the value, where this process has just tested it. */
export const finishSecret = (
  { tools, claim }: Pick<Work, 'tools' | 'claim'>,
  version: VersionId,
  tested?: SecretText,
): Promise<VersionInfo> => tools.store.publish(claim, version, tested)
