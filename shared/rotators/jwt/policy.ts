import { RotationError } from '../../core/errors.js'
import { parseDuration, policyText, showDuration } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { type Algorithm, algorithmNames, algorithms, isAlgorithm } from './algorithms.js'
import { parseVerifiers, profileNames, type Verifier } from './profiles.js'

const duration = (value: string) => (parseDuration(value) === undefined ? 'must be a duration such as 10m' : undefined)
const time = (name: string, standard: string, help: string): PolicyKey => ({ name, default: standard, help, check: duration })

const algorithmKey: PolicyKey = {
  name: 'algorithm',
  default: 'RS256',
  help: 'what the next key signs with',
  check: (value) => (isAlgorithm(value) ? undefined : `must be one of ${algorithmNames.join(', ')}`),
}
const bitsKey: PolicyKey = {
  name: 'bits',
  default: '2048',
  help: 'size of an RSA key',
  check: (value) => (['2048', '3072', '4096'].includes(value) ? undefined : 'must be 2048, 3072 or 4096: less is not accepted any more'),
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
  check: (value) => (/^[A-Za-z0-9_.-]{1,64}$/.test(value) ? undefined : 'must be the name of a field'),
}
export const policyKeys: readonly PolicyKey[] = [algorithmKey, bitsKey, verifiersKey, maxAgeKey, propagationKey, ttlKey, skewKey, fieldKey]
/** The field of the JSON value that holds the keys; undefined: the value itself does. */
export const fieldOf = (policy: Policy): string | undefined => policyText(policy, fieldKey)

/** What the policy asks for, in types. `bits` is the size of an RSA key, and of no other. */
export interface Wish {
  readonly algorithm: Algorithm
  readonly bits: number
  readonly verifiers: readonly Verifier[]
  /** How long a key has to stand in the public set before it may sign. */
  readonly leadMs: number
  /** How long tokens of a key have to be accepted after another one took its place. */
  readonly overlapMs: number
}

/** What the policy asks for, whole. bad_policy for a verifier that cannot do the algorithm, or a schedule that is faster than the waits. */
export function wishOf(policy: Policy): Wish {
  const text = (key: PolicyKey): string => policyText(policy, key) ?? ''
  const ms = (key: PolicyKey): number => parseDuration(text(key)) ?? 0
  const [algorithm, verifiers] = [text(algorithmKey), parseVerifiers(text(verifiersKey))]
  if (!isAlgorithm(algorithm)) throw policyError('algorithm', `must be one of ${algorithmNames.join(', ')}`, 'Choose one of these.')
  if (typeof verifiers === 'string') throw policyError('verifiers', verifiers, `Use ${profileNames.join(', ')}.`)
  const unable = verifiers.find((one) => !one.algorithms.includes(algorithm))
  if (unable !== undefined)
    throw policyError('algorithm', `is ${algorithm}, which ${unable.shown} cannot verify`, `It knows ${unable.algorithms.join(', ')}.`)
  const slowest = Math.max(ms(maxAgeKey), ...verifiers.map(({ refreshMs }) => refreshMs))
  const leadMs = slowest + ms(propagationKey) + ms(skewKey)
  const overlapMs = ms(propagationKey) + ms(ttlKey) + ms(skewKey)
  const every = parseDuration(policy['keyturn-every'] ?? '')
  const wait = Math.max(leadMs, overlapMs)
  if (every !== undefined && every <= wait)
    throw policyError(
      'every',
      `is ${showDuration(every)}, but a key must be published for ${showDuration(leadMs)} before it signs and accepted for ${showDuration(overlapMs)}`,
      `Use more than ${showDuration(wait)}: otherwise the next key is published too late.`,
    )
  return { algorithm, bits: Number(text(bitsKey)), verifiers, leadMs, overlapMs }
}

/** Whether every verifier can check what it signs: a policy that changed meanwhile may have made it useless. */
export const isVerifiable = ({ verifiers }: Wish, algorithm: Algorithm): boolean =>
  algorithms[algorithm] !== undefined && verifiers.every((one) => one.algorithms.includes(algorithm))

const policyError = (key: string, why: string, next: string): RotationError =>
  new RotationError('bad_policy', `The policy key keyturn-${key} ${why}.`, { field: `keyturn-${key}`, next })
