import { isLeaseLive } from '../../core/clock.js'
import { RotationError } from '../../core/errors.js'
import { newToken } from '../../core/ids.js'
import { optional } from '../../core/optional.js'
import type { Retiring } from '../../core/ports/journal.js'
import type { AnyRotator, Context } from '../../core/ports/rotator.js'
import type { SecretState } from '../../core/ports/store.js'
import type { Token, VersionId } from '../../core/ports/words.js'
import { proofOf } from '../../core/proof.js'
import { ownContext } from './context.js'
import { holdLease } from './lease.js'
import type { Known, Tools } from './setup.js'

/** Under which token it is published, and why. */
interface Under {
  readonly token?: Token
  readonly reason?: string
}

/**
 * Publishes the value of an older version under a new token. It is staged first, so that it is never only in this process, and tested once more. False
 * where the target does not accept it: then it is given up, and nothing is published. held while another process retires a credential.
 */
export async function publishAgain(
  tools: Tools,
  setup: Known,
  state: SecretState,
  version: VersionId,
  { token, reason = `publishes ${version} again: an old write came late` }: Under = {},
): Promise<boolean> {
  const { store, deps } = tools
  const { rotator, policy } = setup
  assertNoneEnding(state, deps.env.now())
  const open = state.journal?.rotation?.published === undefined ? state.journal?.rotation : undefined
  const claim = await store.claim(state, {
    token: token ?? newToken('put', deps.env.random(16)),
    kind: 'put',
    holder: deps.holder,
    leaseMs: deps.leaseMs,
    reason,
    ...optional('replaces', open?.token),
  })
  const context = { ...(await ownContext(tools, setup, state)), deadline: claim.leaseUntil }
  const text = await store.read(state.ref, version)
  const staged = await store.stage(claim, text)
  if (staged.stored === 'other') return false
  const works = await isProven(rotator, context, rotator.parse(text, policy), () => holdLease(tools, claim))
  if (works) await store.publish(claim, staged.version, text)
  else await store.discard(claim, staged.version)
  return works
}

/** By one login, or by setting it where no password can be tried. */
async function isProven(rotator: AnyRotator, context: Context<unknown>, value: unknown, hold: () => Promise<void>): Promise<boolean> {
  if (proofOf(rotator, context.policy) === 'login') return rotator.accepted(context, value)
  await hold()
  return (await rotator.apply(context, value)).done
}

/** held while another process retires a credential: it may end the account that would become current. `again`: the command to run afterwards. */
export function assertNoneEnding({ ref, journal }: SecretState, now: number, again = 'recover'): void {
  const isEnding = ({ state, leaseUntil = 0 }: Retiring): boolean => state === 'armed' && isLeaseLive(leaseUntil, now)
  const ending = (journal?.retiring ?? []).find(isEnding)
  if (ending === undefined) return
  const until = new Date(ending.leaseUntil ?? 0).toISOString()
  throw new RotationError('held', `${ending.id} of ${ref.shown} is being retired at this moment.`, {
    next: `Run keyturn ${again} ${ref.shown} again after ${until}.`,
  })
}
