import { policyText } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'

/** Where something takes logins. */
export interface Place {
  readonly host: string
  readonly port: number
}
export const showPlace = ({ host, port }: Place): string => `${host}:${port}`
export const isSamePlace = (one: Place, other: Place): boolean => showPlace(one).toLowerCase() === showPlace(other).toLowerCase()

const form = /^([A-Za-z0-9_.-]+)(?::(\d{1,5}))?$/
const wordsOf = (text: string): readonly string[] => text.split(/ +/).filter((word) => word !== '')

/** `host` or `host:port`. `port`: where the word names none. */
function placeIn(word: string, port: number): Place | undefined {
  const [, host, named] = form.exec(word) ?? []
  const number = named === undefined ? port : Number(named)
  return host !== undefined && number > 0 && number < 65_536 ? { host, port: number } : undefined
}
const isPlace = (word: string): boolean => placeIn(word, 1) !== undefined

/** An RDS Proxy: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-connecting.html */
const proxy = /\.proxy-[a-z0-9]+\.(?:[a-z0-9-]+\.rds|rds\.cn-[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/i
/** Whether the place takes a new password only from the published secret. A test before the publication would fail there for ever. */
export const readsSecret = ({ host }: Place): boolean => proxy.test(host)

/** The policy key that names the server, where the value names something before it. */
export const serverKey: PolicyKey = {
  name: 'server',
  help: 'the server itself, host or host:port, where the value names a pooler for its consumers',
  check: (value) => (isPlace(value) ? undefined : 'must be one host or host:port'),
}

/** The policy key that names where consumers log in, beside the server. */
export const endpointsKey: PolicyKey = {
  name: 'endpoints',
  help: 'poolers through which consumers log in, host or host:port with spaces between: the test logs in through each before it publishes',
  check: (value) => {
    const places = wordsOf(value).map((word) => placeIn(word, 1))
    if (places.length === 0 || places.includes(undefined)) return 'must be host or host:port, several with a space between'
    const known = places.filter((place) => place !== undefined)
    const reader = known.find(readsSecret)
    if (reader !== undefined) return `names ${reader.host}, an RDS Proxy: it takes a new password only from the published secret`
    const shown = wordsOf(value).map((word) => word.toLowerCase())
    return new Set(shown).size === shown.length ? undefined : 'names one place twice'
  },
}

/** The server that the policy names. `port`: where it names none. */
export const serverIn = (policy: Policy, port: number): Place | undefined => placeIn(policyText(policy, serverKey) ?? '', port)

/** The poolers that the policy names. */
export const endpointsIn = (policy: Policy, port: number): readonly Place[] =>
  wordsOf(policyText(policy, endpointsKey) ?? '').flatMap((word) => placeIn(word, port) ?? [])
