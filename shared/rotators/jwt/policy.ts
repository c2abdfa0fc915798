import { RotationError } from '../../core/errors.js'
import { parseDuration, policyText, showDuration } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { type Algorithm, algorithmNames, algorithms, isAlgorithm } from './algorithms.js'
import { parseVerifiers, profileNames, type Verifier } from './profiles.js'

function isDuration(value: string): string | undefined {
  return parseDuration(value) === undefined ? 'must be a duration such as 10m' : undefined
}
const time = (name: string, standard: string, help: string): PolicyKey => ({
  name,
  default: standard,
  help,
  check: isDuration,
})

const algorithmKey: PolicyKey = {
  name: 'algorithm',
  default: 'RS256',
  help: 'what the next key signs with',
  check: (value) => (isAlgorithm(value) ? undefined : `must be one of ${algorithmNames.join(', ')}`),
}
const sizes = ['2048', '3072', '4096']
const bitsKey: PolicyKey = {
  name: 'bits',
  default: '2048',
  help: 'size of an RSA key',
  check: (value) => (sizes.includes(value) ? undefined : 'must be 2048, 3072 or 4096: smaller keys are not accepted'),
}
const verifiersKey: PolicyKey = {
  name: 'verifiers',
  default: 'ticker',
  help: `who checks tokens and how fast they learn of a key: ${profileNames.join(', ')}, each with =duration`,
  check: (value) => {
    const verifiers = parseVerifiers(value)
    return typeof verifiers === 'string' ? verifiers : undefined
  },
}
const maxAgeKey = time('max-age', '5m', 'how long caches may keep the public set; its Cache-Control where it is served')
const propagationKey = time('propagation', '5m', 'from a publication until the last signer and the last place of the set have it')
const ttlKey = time('token-ttl', '1h', 'how long the longest token lives, caches of the issuer included')
const skewKey = time('skew', '1m', 'how far clocks may be apart')
const fieldKey: PolicyKey = {
  name: 'field',
  namesField: true,
  help: 'the field of the JSON value that holds current, next and previous; the object itself where it is not said',
  check: (value) => (fieldName.test(value) ? undefined : 'must be the name of a field'),
}
const fieldName = /^[A-Za-z0-9_.-]{1,64}$/
/** The policy keys of a signing key. */
export const policyKeys: readonly PolicyKey[] = [algorithmKey, bitsKey, verifiersKey, maxAgeKey, propagationKey, ttlKey, skewKey, fieldKey]
/** The field of the JSON value that holds the keys; undefined where the value itself holds them. */
export const fieldOf = (policy: Policy): string | undefined => policyText(policy, fieldKey)

/** What the policy asks for. `bits` is the size of an RSA key; other keys have none. */
export interface Wish {
  readonly algorithm: Algorithm
  readonly bits: number
  readonly verifiers: readonly Verifier[]
  /** How long a key has to be in the public set before it may sign. */
  readonly leadMs: number
  /** How long tokens of a key have to be accepted after another one took its place. */
  readonly overlapMs: number
}
type Waits = Pick<Wish, 'leadMs' | 'overlapMs'>

/** Everything that the policy asks for. bad_policy for a verifier that cannot do the algorithm, or a schedule that is faster than the waits. */
export function wishOf(policy: Policy): Wish {
  const algorithm = textOf(policy, algorithmKey)
  const verifiers = parseVerifiers(textOf(policy, verifiersKey))
  if (!isAlgorithm(algorithm)) {
    const why = `must be one of ${algorithmNames.join(', ')}`
    throw policyError('algorithm', why, 'Choose one of these.')
  }
  if (typeof verifiers === 'string') throw policyError('verifiers', verifiers, `Use ${profileNames.join(', ')}.`)
  const unable = verifiers.find((one) => !one.algorithms.includes(algorithm))
  if (unable !== undefined) {
    const why = `is ${algorithm}, which ${unable.shown} cannot verify`
    throw policyError('algorithm', why, `It knows ${unable.algorithms.join(', ')}.`)
  }
  const waits = waitsOf(policy, verifiers)
  assertSlower(policy, waits)
  return { algorithm, bits: Number(textOf(policy, bitsKey)), verifiers, ...waits }
}

const textOf = (policy: Policy, key: PolicyKey): string => policyText(policy, key) ?? ''

function waitsOf(policy: Policy, verifiers: readonly Verifier[]): Waits {
  const ms = (key: PolicyKey): number => parseDuration(textOf(policy, key)) ?? 0
  const slowest = Math.max(ms(maxAgeKey), ...verifiers.map(({ refreshMs }) => refreshMs))
  return {
    leadMs: slowest + ms(propagationKey) + ms(skewKey),
    overlapMs: ms(propagationKey) + ms(ttlKey) + ms(skewKey),
  }
}

function assertSlower(policy: Policy, { leadMs, overlapMs }: Waits): void {
  const every = parseDuration(policy['keyturn-every'] ?? '')
  const wait = Math.max(leadMs, overlapMs)
  if (every === undefined || every > wait) return
  const lead = `must be published for ${showDuration(leadMs)} before it signs`
  const overlap = `accepted for ${showDuration(overlapMs)}`
  throw policyError(
    'every',
    `is ${showDuration(every)}, but a key ${lead} and ${overlap}`,
    `Use more than ${showDuration(wait)}: otherwise the next key is published too late.`,
  )
}

/** Whether every verifier can check what such a key signs: a policy that changed meanwhile may have made the key useless. */
export const isVerifiable = ({ verifiers }: Wish, algorithm: Algorithm): boolean =>
  algorithms[algorithm] !== undefined && verifiers.every((one) => one.algorithms.includes(algorithm))

const policyError = (key: string, why: string, next: string): RotationError =>
  new RotationError('bad_policy', `The policy key keyturn-${key} ${why}.`, { field: `keyturn-${key}`, next })
