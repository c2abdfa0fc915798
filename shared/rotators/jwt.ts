import { isFromFuture } from '../core/clock.js'
import { RotationError } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { AnyRotator, Context, Rotator } from '../core/ports/rotator.js'
import type { CredentialId } from '../core/ports/words.js'
import { currentOf, selfIssued } from '../core/self-issued.js'
import { former, named, newKey } from './jwt/keys.js'
import { isVerifiable, policyKeys, wishOf } from './jwt/policy.js'
import { type JwtValue, parseJwtValue, publicSetOf, renderJwtValue } from './jwt/value.js'
import { verify } from './jwt/verify.js'

/**
 * Signing keys of tokens. The value carries three keys: the current one, which signs; the next one, which verifiers know already; and the public
 * half of the previous one. A rotation is one publication in which each moves on by one. It is held until every verifier knows the key that would
 * sign. The first rotation of a key that was adopted alone only publishes the next key.
 */
const jwt: Rotator<JwtValue> = {
  ...selfIssued(() => null), // the previous key leaves when its time is over, and takes no slot
  about: {
    kind: 'jwt',
    title: 'signing keys of tokens (JWT), with their public set',
    type: 'jwt',
    strategies: ['overlap'],
    policy: policyKeys,
  },
  parse: parseJwtValue,
  render: renderJwtValue,
  identify: ({ current }) => nameOf(current) as CredentialId,
  check: ({ policy }) => void wishOf(policy),
  tooEarly,
  propose,
  accepted,
  publicHalf: {
    set: (value, policy, at) => publicSetOf(value, at === undefined ? 'open' : at + wishOf(policy).overlapMs),
  },
  verify,
}

function nameOf(key: JwtValue['current']): string {
  if (key === undefined) return 'none'
  return key.kid ?? 'adopted'
}

/** Whether the next key is missing or useless, so that a new one has to be published ahead first. */
const mustPublishAhead = ({ policy }: Context<JwtValue>, { next }: JwtValue): boolean =>
  next === undefined || !isVerifiable(wishOf(policy), next.algorithm)

/** The wait counts from the publication that had the key first, even when that came late. It is as long as today's policy says. */
function tooEarly(context: Context<JwtValue>): string | undefined {
  const { policy, env, publishedAt = 0, emergency } = context
  if (emergency) return undefined
  const value = currentOf(context)
  const { current, next, previous } = value
  if (current === undefined || next === undefined || mustPublishAhead(context, value)) return undefined
  const { leadMs, overlapMs } = wishOf(policy)
  const now = env.now()
  // A time that a clock which was ahead has written counts from the publication.
  const inTime = (at: number, spanMs: number): number => (isFromFuture(at, now + spanMs) ? 0 : at)
  const readyAt = Math.max(inTime(next.notBefore, leadMs), publishedAt + leadMs)
  if (now < readyAt) {
    const when = new Date(readyAt).toISOString()
    return `the next key may not sign before ${when}: a verifier that does not know it yet would refuse its tokens`
  }
  if (previous === undefined) return undefined
  const over = Math.max(inTime(previous.notAfter, overlapMs), publishedAt + overlapMs)
  if (now >= over) return undefined
  const when = new Date(over).toISOString()
  return `tokens of the previous key are valid until ${when}, and that key would leave the public set`
}

/** Whether verifiers know the key that would sign: the public set of the current value has it. */
async function accepted({ current: base, env }: Context<JwtValue>, { current }: JwtValue): Promise<boolean> {
  if (base?.current === undefined || current === undefined) return true
  const { current: signing, next, previous } = base
  if (current.kid === undefined) return signing.kid === undefined
  if ([signing.kid, next?.kid].includes(current.kid)) return true
  return previous !== undefined && env.now() < previous.notAfter && previous.kid === current.kid
}

async function propose(context: Context<JwtValue>): Promise<JwtValue> {
  const { policy, env, emergency } = context
  const value = currentOf(context)
  const { field, current, next, previous } = value
  const { algorithm, bits, leadMs, overlapMs } = wishOf(policy)
  const now = env.now()
  const fresh = await newKey(algorithm, bits, now + leadMs)
  // The secret that leaked held both private keys: none of them may stay.
  if (current === undefined || emergency) {
    const first = await newKey(algorithm, bits, now)
    return { field, current: first, next: fresh }
  }
  const signing = await named(current)
  if (next === undefined || mustPublishAhead(context, value)) return { ...value, current: signing, next: fresh }
  const early = tooEarly(context)
  if (early !== undefined)
    throw new RotationError('held', `It is too early: ${early}.`, {
      next: 'Wait until then. --emergency does not wait; verifiers refuse tokens then.',
    })
  // Where the publication comes later, the public set and the next rotation count from it instead.
  const left = former(signing, now + overlapMs) ?? previous
  return { field, current: { ...next, notBefore: now }, next: fresh, ...optional('previous', left) }
}

/** The value's type is the rotator's own business: callers only carry values from one method to the next. */
export const create = (): AnyRotator => jwt
