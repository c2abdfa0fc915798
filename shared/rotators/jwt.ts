import { RotationError } from '../core/errors.js'
import type { AnyRotator, Context, Difference, Rotator } from '../core/ports/rotator.js'
import type { CredentialId, Policy } from '../core/ports/words.js'
import { currentOf, selfIssued } from '../core/self-issued.js'
import { former, named, newKey, publicOf, type SigningKey, signsFor } from './jwt/keys.js'
import { isVerifiable, policyKeys, wishOf } from './jwt/policy.js'
import { type JwtValue, parseJwtValue, publicSetOf, renderJwtValue } from './jwt/value.js'

/**
 * Signing keys of tokens. The value carries the key that signs, the next one, which verifiers know already, and the public half of the one before:
 * a rotation is one publication in which each moves on by one. It is held until every verifier knows the key that would sign. The first one of a key
 * that was adopted alone only announces.
 */
const jwt: Rotator<JwtValue> = {
  ...selfIssued(() => null), // the one before leaves by its time and takes no slot
  about: {
    kind: 'jwt',
    title: 'signing keys of tokens (JWT), with their public set',
    type: 'jwt',
    strategies: ['overlap'],
    policy: policyKeys,
  },
  parse: parseJwtValue,
  render: renderJwtValue,
  identify: ({ current }) => (current === undefined ? 'none' : (current.kid ?? 'adopted')) as CredentialId,
  check: ({ policy }) => void wishOf(policy),
  tooEarly,
  propose,
  accepted,
  publicHalf: { set: (value, policy, at) => publicSetOf(value, at === undefined ? 'open' : at + wishOf(policy).overlapMs) },
  verify,
}

/** Not usable as the next one: to be announced first. */
const mustAnnounce = ({ policy }: Context<JwtValue>, { next }: JwtValue): boolean =>
  next === undefined || !isVerifiable(wishOf(policy), next.algorithm)

/** It counts from the publication that announced it, also where that came later than it was proposed; and from the waits that hold today. */
function tooEarly(context: Context<JwtValue>): string | undefined {
  const { policy, env, publishedAt = 0, emergency } = context
  if (emergency) return undefined
  const value = currentOf(context)
  const { current, next, previous } = value
  if (current === undefined || next === undefined || mustAnnounce(context, value)) return undefined
  const readyAt = Math.max(next.notBefore, publishedAt + wishOf(policy).leadMs)
  if (env.now() < readyAt)
    return `the next key may not sign before ${new Date(readyAt).toISOString()}: a verifier that does not know it yet would refuse its tokens`
  const over = Math.max(previous?.notAfter ?? 0, previous ? publishedAt + wishOf(policy).overlapMs : 0)
  if (env.now() < over) return `tokens of the key before are valid until ${new Date(over).toISOString()}, and it would leave the public set`
  return undefined
}

/** Beside another current value: whether verifiers know the key that would sign, as that one's public set has it. */
async function accepted({ current: base, env }: Context<JwtValue>, { current }: JwtValue): Promise<boolean> {
  if (base?.current === undefined || current === undefined) return true
  const { previous } = base
  const known = [base.current.kid, base.next?.kid, ...(previous && env.now() < previous.notAfter ? [previous.kid] : [])]
  return current.kid === undefined ? base.current.kid === undefined : known.includes(current.kid)
}

async function propose(context: Context<JwtValue>): Promise<JwtValue> {
  const { policy, env, emergency } = context
  const value = currentOf(context)
  const { field, current, next, previous } = value
  const { algorithm, bits, leadMs, overlapMs } = wishOf(policy)
  const now = env.now()
  const fresh = await newKey(algorithm, bits, now + leadMs)
  // Both halves of both keys stood in the secret that leaked.
  if (current === undefined || emergency) return { field, current: await newKey(algorithm, bits, now), next: fresh }
  const signing = await named(current)
  if (next === undefined || mustAnnounce(context, value)) return { ...value, current: signing, next: fresh }
  const early = tooEarly(context)
  if (early !== undefined)
    throw new RotationError('held', `It is too early: ${early}.`, {
      next: 'Wait until then. --emergency does not wait; tokens are refused then.',
    })
  const left = former(signing, now + overlapMs) ?? previous // of a publication that comes later the set and the next rotation count from that
  return { field, current: { ...next, notBefore: now }, next: fresh, ...(left ? { previous: left } : {}) }
}

/** Signs with the new key and checks that with its public half. Who will not know it is said, and stops nothing: it was asked for. */
async function verify(
  { policy, current: base, env, emergency }: Context<JwtValue>,
  { current, next, previous }: JwtValue,
): Promise<readonly Difference[]> {
  for (const key of [current, next]) {
    const half = key && publicOf(key)
    if (key && half && !(await signsFor(key, half)))
      throw new RotationError('bad_value', 'The private key does not sign for its own public half.', {
        field: key === current ? 'current' : 'next',
        next: 'Put a whole key.',
      })
  }
  if (base?.current === undefined) return []
  if (current === undefined) return forgotten(policy, base, [], env.now())
  assertNoneReused(base, [current, next])
  const known = [base.current, base.next, base.previous].some((key) => key?.kid !== undefined && key.kid === current.kid)
  const lost = emergency ? [] : forgotten(policy, base, [current, next, previous], env.now()) // an emergency means it
  if (known || base.current.kid === undefined) return lost
  const unknown = wishOf(policy).verifiers.map(({ shown, refreshMs, looksAgain }) => ({
    what: `verifier ${shown}`,
    outgoing: base.current?.kid ?? 'none',
    incoming: `${current.kid} is refused for up to ${Math.ceil(refreshMs / 1000)} s${looksAgain ? ' after its last look' : ''}`,
    fatal: false,
  }))
  return [...unknown, ...lost]
}

/** Keys that leave the public set while tokens of theirs may be on their way: of what a person puts. Said, and stops nothing. */
function forgotten(
  policy: Policy,
  { current, previous }: JwtValue,
  kept: readonly ({ readonly kid?: string | undefined } | undefined)[],
  now: number,
): readonly Difference[] {
  const has = (kid: string | undefined): boolean => kept.some((key) => key?.kid === kid)
  const ends = [
    { kid: current?.kid, until: now + wishOf(policy).overlapMs },
    { kid: previous?.kid, until: previous?.notAfter ?? 0 },
  ]
  return ends
    .filter(({ kid, until }) => kid !== undefined && until > now && !has(kid))
    .map(({ kid, until }) => ({
      what: 'tokens',
      outgoing: `of ${kid} are accepted until ${new Date(until).toISOString()}`,
      incoming: 'are refused from the publication on',
      fatal: false,
    }))
}

/** A name stands for one key: verifiers keep keys by it. */
function assertNoneReused({ current, next, previous }: JwtValue, keys: readonly (SigningKey | undefined)[]): void {
  const known = [...[current, next].map((key) => key && publicOf(key)), previous?.public]
  for (const half of keys.map((key) => key && publicOf(key))) {
    const same = known.find((one) => one !== undefined && one.kid === half?.kid)
    if (half === undefined || same === undefined || (same.n === half.n && same.x === half.x && same.y === half.y)) continue
    throw new RotationError('bad_value', `The new value gives the kid ${half.kid} to another key.`, {
      field: 'kid',
      next: 'Leave keys their names; a new key has a new one (RFC 7638).',
    })
  }
}

/** The value's type is the rotator's own business: callers only carry values from one method to the next. */
export const create = (): AnyRotator => jwt
