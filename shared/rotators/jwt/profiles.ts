import { parseDuration } from '../../core/policy/index.js'
import { type Algorithm, algorithmNames } from './algorithms.js'

/** How one kind of verifier learns of a new key, and what it can verify. */
interface Profile {
  readonly algorithms: readonly Algorithm[]
  /** What its duration means. */
  readonly help: string
  /** The duration where none is given. */
  readonly default: string
}

const profiles = {
  /**
   * keySourceURIs with refreshInterval. It learns of a key by its ticker alone; an unknown kid is an error and no reason to look again
   * (temporalio/temporal, common/authorization).
   */
  temporal: {
    algorithms: ['RS256', 'ES256'],
    help: 'refreshInterval of its keys',
    default: '1h',
  },
  ticker: {
    algorithms: algorithmNames,
    help: 'how often it reads the set, whatever it meets',
    default: '1h',
  },
  'max-age': {
    algorithms: algorithmNames,
    help: 'how long it keeps the set, whatever it meets',
    default: '5m',
  },
  refetch: {
    algorithms: algorithmNames,
    help: 'how soon after one look an unknown kid makes it look again',
    default: '30s',
  },
} as const satisfies Record<string, Profile>
type ProfileName = keyof typeof profiles
const isProfile = (name: string): name is ProfileName => Object.hasOwn(profiles, name)
export const profileNames = Object.keys(profiles) as ProfileName[]

/** One verifier, as the policy names it. */
export interface Verifier {
  readonly shown: string
  readonly algorithms: readonly Algorithm[]
  /** The longest time from the publication of a set until this verifier knows it. */
  readonly refreshMs: number
  /** Whether it looks again when it meets a kid that it does not know. */
  readonly looksAgain: boolean
}

/** Reads `temporal=1h refetch max-age=10m`. A text instead of verifiers says what is wrong. */
export function parseVerifiers(text: string): readonly Verifier[] | string {
  const verifiers: Verifier[] = []
  for (const shown of text.split(/ +/).filter((word) => word !== '')) {
    const verifier = parseVerifier(shown)
    if (typeof verifier === 'string') return verifier
    verifiers.push(verifier)
  }
  return verifiers.length > 0 ? verifiers : 'names nobody'
}

function parseVerifier(shown: string): Verifier | string {
  const [name = '', given] = shown.split('=')
  if (!isProfile(name)) return `names the profile "${name}"; known are ${profileNames.join(', ')}`
  const { algorithms, default: standard } = profiles[name]
  const refreshMs = parseDuration(given ?? standard)
  if (refreshMs === undefined) return `has no duration in "${shown}", such as ${name}=${standard}`
  return { shown, algorithms, refreshMs, looksAgain: name === 'refetch' }
}
