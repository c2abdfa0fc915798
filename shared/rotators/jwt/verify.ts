import { RotationError } from '../../core/errors.js'
import type { Context, Difference } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { publicOf, type SigningKey, signsFor } from './keys.js'
import { wishOf } from './policy.js'
import type { JwtValue } from './value.js'

type Named = { readonly kid?: string | undefined } | undefined

/** Signs with each new key and checks that with its public half. It reports who will not know the key; that stops nothing, because it was asked for. */
export async function verify(context: Context<JwtValue>, value: JwtValue): Promise<readonly Difference[]> {
  const { policy, current: base, env, emergency } = context
  const { current, next, previous } = value
  await assertWhole('current', current)
  await assertWhole('next', next)
  if (base?.current === undefined) return []
  if (current === undefined) return forgotten(policy, base, [], env.now())
  assertNoneReused(base, [current, next])
  // An emergency means to end the tokens of the old keys.
  const lost = emergency ? [] : forgotten(policy, base, [current, next, previous], env.now())
  const keys: readonly Named[] = [base.current, base.next, base.previous]
  const known = keys.some((key) => key?.kid !== undefined && key.kid === current.kid)
  if (known || base.current.kid === undefined) return lost
  return [...refusals(policy, base.current.kid, current), ...lost]
}

async function assertWhole(field: 'current' | 'next', key: SigningKey | undefined): Promise<void> {
  const half = key && publicOf(key)
  if (!key || !half || (await signsFor(key, half))) return
  throw new RotationError('bad_value', 'The private key does not sign for its own public half.', {
    field,
    next: 'Put a whole key.',
  })
}

/** Verifiers that do not know the new key yet, and for how long each refuses it. */
function refusals(policy: Policy, outgoing: string, { kid }: SigningKey): readonly Difference[] {
  return wishOf(policy).verifiers.map(({ shown, refreshMs, looksAgain }) => {
    const seconds = Math.ceil(refreshMs / 1000)
    const since = looksAgain ? ' after its last look' : ''
    return {
      what: `verifier ${shown}`,
      outgoing,
      incoming: `${kid} is refused for up to ${seconds} s${since}`,
      fatal: false,
    }
  })
}

/** Keys that a value put by a person drops from the public set while their tokens may still be in use. It is reported, and stops nothing. */
function forgotten(policy: Policy, { current, previous }: JwtValue, kept: readonly Named[], now: number): readonly Difference[] {
  const isKept = (kid: string): boolean => kept.some((key) => key?.kid === kid)
  const ends = [
    { kid: current?.kid, until: now + wishOf(policy).overlapMs },
    { kid: previous?.kid, until: previous?.notAfter ?? 0 },
  ]
  return ends
    .filter(({ kid, until }) => kid !== undefined && until > now && !isKept(kid))
    .map(({ kid, until }) => ({
      what: 'tokens',
      outgoing: `of ${kid} are accepted until ${new Date(until).toISOString()}`,
      incoming: 'are refused from the publication on',
      fatal: false,
    }))
}

/** One kid names one key: verifiers store keys by it. */
function assertNoneReused({ current, next, previous }: JwtValue, keys: readonly (SigningKey | undefined)[]): void {
  const halfOf = (key: SigningKey | undefined) => key && publicOf(key)
  const known = [halfOf(current), halfOf(next), previous?.public]
  for (const half of keys.map(halfOf)) {
    if (half === undefined) continue
    const same = known.find((one) => one !== undefined && one.kid === half.kid)
    if (same === undefined) continue
    if (same.n === half.n && same.x === half.x && same.y === half.y) continue
    throw new RotationError('bad_value', `The new value reuses the kid ${half.kid} for a different key.`, {
      field: 'kid',
      next: 'Keep the names of keys; a new key has a new name (RFC 7638).',
    })
  }
}
